#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include "protocol/base/text.h"
#include "tests/collector/collector_fixture.h"
#include "tests/ingest/agent_frames.h"
#include "tests/support/catch.h"

namespace dunlin::collector {
namespace {

/// A page of metrics, family by family.
struct Page {
  std::map<std::string, std::string> types;
  std::set<std::string> helped;
  std::multiset<std::string> series;  // name and labels of each sample
};

Page ReadPage(const std::string& text) {
  Page page;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string mark, keyword, name, rest;
    words >> mark >> keyword >> name >> rest;
    if (mark != "#") {
      page.series.insert(line.substr(0, line.rfind(' ')));
    } else if (keyword == "HELP") {
      if (!rest.empty()) page.helped.insert(name);
    } else if (keyword == "TYPE") {
      CHECK(page.types.emplace(name, rest).second);  // each family once
    }
  }
  return page;
}

/// A collector that has done some of everything, so that every family is on the page.
std::string BusyPage() {
  RunningCollector collector;
  ScriptedAgent agent(collector.ingest(), "web");
  agent.Send(ingest::BatchFrame(1, {"a"}));
  agent.Await("ack 1");
  collector.Lines(R"({service="web"})");
  return collector.Ask("GET", "/metrics").body;
}

TEST_CASE("every metric of the collector is documented", "[collector][metrics]") {
  std::ifstream file(DUNLIN_DOCS "/metrics.md");
  std::stringstream document;
  document << file.rdbuf();
  std::string text = document.str();
  REQUIRE_FALSE(text.empty());
  for (const auto& [name, type] : ReadPage(BusyPage()).types) {
    // One line of the table: | `name` | type | ...
    CHECK_THAT(text, Catch::Matchers::Contains(Join("| `", name, "` | ", type, " |")));
  }
}

TEST_CASE("the page follows Prometheus's conventions", "[collector][metrics]") {
  std::string text = BusyPage();
  CHECK(text.back() == '\n');
  Page page = ReadPage(text);
  CHECK(page.types.size() > 30);
  for (const auto& [name, type] : page.types) {
    CAPTURE(name, type);
    CHECK(page.helped.count(name) == 1);
    CHECK((type == "counter") == std::string_view(name).ends_with("_total"));
    for (std::string_view word : Split(name, '_')) {
      for (std::string_view banned :
           {"counter", "gauge", "histogram", "summary", "ms", "milliseconds", "minutes", "hours",
            "kb", "mb", "kilobytes", "bits", "bucket", "sum", "count"}) {
        CHECK(word != banned);
      }
    }
    CHECK(std::none_of(name.begin(), name.end(), [](char c) { return std::isupper(c) != 0; }));
  }
  for (const std::string& series : page.series) {
    CAPTURE(series);
    CHECK(page.series.count(series) == 1);
  }
}

}  // namespace
}  // namespace dunlin::collector
