#include "collector/ingest/agent_directory.h"

#include <string>

#include "tests/ingest/agent_frames.h"
#include "tests/support/catch.h"

namespace dunlin::ingest {
namespace {

using namespace std::chrono_literals;

const LogTime kStart = LogTimeOf(1'735'689'600'000'000'000);

AgentIdentity Identity(std::string_view service, std::uint8_t id) {
  auto identity = IdentityOf(HelloOf(service, id));
  REQUIRE(identity);
  return *identity;
}

wire::Metrics Metrics(double value) {
  return {0,
          {{"dunlin_agent_lines_captured_total",
            "Lines read.",
            "counter",
            {{LabelSet{{"output", "stdout"}, {"host", "own"}}, value, ""}}}}};
}

TEST_CASE("the metrics of all agents make one page", "[ingest][directory]") {
  AgentDirectory directory;
  AgentIdentity web = Identity("web", 1);
  AgentIdentity db = Identity("db", 2);
  directory.Connected(web, kStart);
  directory.Connected(db, kStart);
  directory.KeepMetrics(web.agent, Metrics(3), kStart);
  directory.KeepMetrics(db.agent, Metrics(4), kStart);
  directory.Disconnected(db.agent, db.boot, kStart + 1s);
  std::string page = directory.Exposition(kStart + 2s);
  CAPTURE(page);
  using Catch::Matchers::Contains;
  CHECK_THAT(page, Contains("# TYPE dunlin_agent_lines_captured_total counter\n"));
  CHECK(page.find("# HELP dunlin_agent_lines_captured_total") ==
        page.rfind("# HELP dunlin_agent_lines_captured_total"));
  CHECK_THAT(page, Contains("dunlin_agent_lines_captured_total{container=\"web-1\","
                            "deployment=\"v1\",exported_host=\"own\",host=\"node\","
                            "output=\"stdout\",project=\"shop\",service=\"web\"} 3\n"));
  CHECK_THAT(page, Contains("service=\"db\"} 4\n"));
  CHECK_THAT(page,
             Contains("dunlin_collector_agent_connected{container=\"web-1\",deployment=\"v1\","
                      "host=\"node\",project=\"shop\",service=\"web\"} 1\n"));
  CHECK_THAT(page, Contains("dunlin_collector_agent_connected{container=\"db-1\",deployment=\"v1\","
                            "host=\"node\",project=\"shop\",service=\"db\"} 0\n"));
}

TEST_CASE("the metrics of all agents together are bounded", "[ingest][directory]") {
  AgentDirectory::Options options;
  options.max_metrics_bytes = 3000;
  AgentDirectory directory(options);
  for (std::uint8_t id = 1; id <= 100; ++id) {
    AgentIdentity identity = Identity("web" + std::to_string(id), id);
    directory.Connected(identity, kStart);
    directory.KeepMetrics(identity.agent, Metrics(id), kStart);
  }
  auto shown = [&] {
    std::string page = directory.Exposition(kStart);
    std::size_t count = 0;
    std::string_view name = "dunlin_agent_lines_captured_total{";
    for (std::size_t at = page.find(name); at != std::string::npos; at = page.find(name, at + 1)) {
      ++count;
    }
    return count;
  };
  std::size_t most = shown();
  CHECK(most > 1);
  CHECK(most < 20);
  // Whoever has a place keeps it with new values, and leaves it to others at its end.
  AgentIdentity first = Identity("web1", 1);
  directory.KeepMetrics(first.agent, Metrics(7), kStart);
  CHECK(shown() == most);
  directory.Disconnected(first.agent, first.boot, kStart - 10min);
  AgentIdentity last = Identity("web100", 100);
  directory.Connected(last, kStart);
  directory.KeepMetrics(last.agent, Metrics(9), kStart);
  CHECK(shown() == most);
  CHECK(directory.Exposition(kStart).find("} 9\n") != std::string::npos);
}

TEST_CASE("an agent that is gone leaves the page, then the directory", "[ingest][directory]") {
  AgentDirectory directory;
  AgentIdentity web = Identity("web", 1);
  directory.Connected(web, kStart);
  CHECK(directory.Count(kStart + 48h).ok == 1);
  directory.Disconnected(web.agent, web.boot, kStart);
  CHECK(directory.Count(kStart + 14min).stale == 1);
  CHECK(directory.Count(kStart + 16min).gone == 1);
  CHECK_FALSE(directory.Exposition(kStart + 4min).empty());
  CHECK(directory.Exposition(kStart + 6min).empty());
  directory.Connected(Identity("db", 2), kStart + 25h);
  CHECK(directory.Count(kStart + 25h).gone == 0);
}

TEST_CASE("a container started again speaks for its identity", "[ingest][directory]") {
  AgentDirectory directory;
  AgentIdentity before = Identity("web", 1);
  AgentIdentity after = Identity("web", 2);
  directory.Connected(before, kStart);
  directory.KeepMetrics(before.agent, Metrics(100), kStart);
  directory.Disconnected(before.agent, before.boot, kStart + 1s);
  directory.Connected(after, kStart + 2s);
  directory.KeepMetrics(after.agent, Metrics(1), kStart + 2s);
  std::string page = directory.Exposition(kStart + 3s);
  CHECK(page.find("} 100\n") == std::string::npos);
  CHECK_THAT(page, Catch::Matchers::Contains("service=\"web\"} 1\n"));
}

TEST_CASE("an end of an older boot does not end the newer one", "[ingest][directory]") {
  AgentDirectory directory;
  AgentIdentity web = Identity("web", 1);
  RandomId old_boot = web.boot;
  directory.Connected(web, kStart);
  web.boot.fill(9);
  directory.Connected(web, kStart);
  directory.Disconnected(web.agent, old_boot, kStart);
  CHECK(directory.Count(kStart).ok == 1);
}

TEST_CASE("the directory is bounded", "[ingest][directory]") {
  AgentDirectory directory({2, 15min, 24h, 5min});
  for (std::uint8_t i = 1; i <= 3; ++i) {
    AgentIdentity agent = Identity("web", i);
    directory.Connected(agent, kStart + i * 1s);
    directory.Disconnected(agent.agent, agent.boot, kStart + i * 1s);
  }
  CHECK(directory.Count(kStart + 5s).stale == 2);
}

}  // namespace
}  // namespace dunlin::ingest
