// docs/metrics.md and the code name the same metrics, types and labels.
#include <csignal>
#include <map>
#include <set>
#include <string>

#include "agent/metrics.h"
#include "protocol/base/file_system.h"
#include "protocol/base/text.h"
#include "tests/agent/full_sample.h"
#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

struct Described {
  std::string type;
  std::set<std::string> labels;
  friend bool operator==(const Described&, const Described&) = default;
};
using Names = std::map<std::string, Described>;

/// What lies between backquotes.
std::vector<std::string> Quoted(std::string_view cell) {
  std::vector<std::string> words;
  auto pieces = Split(cell, '`');
  for (std::size_t i = 1; i < pieces.size(); i += 2) words.emplace_back(pieces[i]);
  return words;
}

/// The rows of the tables below "## Agent".
Names Documented() {
  auto page = ReadFile(PosixFileSystem(), DUNLIN_SOURCE_DIR "/docs/metrics.md");
  REQUIRE(page);
  std::string_view text = *page;
  text.remove_prefix(text.find("\n## Agent\n") + 1);
  text = text.substr(0, text.find("\n## ", 1));
  Names names;
  for (std::string_view line : Split(text, '\n')) {
    if (!line.starts_with("| `")) continue;
    auto cells = Split(line, '|');
    REQUIRE(cells.size() >= 5);
    auto name = Quoted(cells[1]);
    REQUIRE(name.size() == 1);
    auto labels = Quoted(cells[3]);
    CAPTURE(name[0]);
    CHECK(names
              .emplace(name[0],
                       Described{std::string(Trim(cells[2])), {labels.begin(), labels.end()}})
              .second);
  }
  return names;
}

Names Exported() {
  Names names;
  for (const auto& family : MetricsOf(FullSample(), FullUsage(), FullContainer())) {
    Described& described = names[family.name];
    described.type = family.type;
    for (const auto& sample : family.samples) {
      for (const auto& [label, value] : sample.labels) {
        if (label != "le") described.labels.insert(label);
      }
    }
  }
  return names;
}

TEST_CASE("every metric of the agent is documented as it is, and every documented one exists",
          "[agent][metrics]") {
  const Names documented = Documented();
  const Names exported = Exported();
  CHECK(documented.size() > 60);
  for (const auto& [name, described] : exported) {
    CAPTURE(name);
    auto found = documented.find(name);
    REQUIRE(found != documented.end());
    CHECK(found->second.type == described.type);
    CHECK(found->second.labels == described.labels);
  }
  for (const auto& [name, described] : documented) {
    CAPTURE(name);
    CHECK(exported.contains(name));
  }
}

}  // namespace
}  // namespace dunlin::agent
