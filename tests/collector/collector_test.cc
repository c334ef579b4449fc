#include "collector/collector.h"

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "protocol/base/text.h"
#include "tests/collector/collector_fixture.h"
#include "tests/ingest/agent_frames.h"
#include "tests/support/catch.h"

namespace dunlin::collector {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using Lines = std::vector<std::string>;
using ingest::BatchFrame;

constexpr std::int64_t kTime = 1'795'000'000'000'000'000;

/// Asks over HTTP until a page says so.
void AwaitOnPage(RunningCollector& collector, std::string_view path, const std::string& wanted) {
  std::string page;
  for (int i = 0; i < 2000; ++i) {
    page = collector.Ask("GET", path).body;
    if (page.find(wanted) != std::string::npos) return;
    std::this_thread::yield();
  }
  CAPTURE(page);
  FAIL("not on " << path << ": " << wanted);
}

TEST_CASE("what an agent sends can be searched once it is acknowledged", "[collector]") {
  RunningCollector collector;
  ScriptedAgent agent(collector.ingest(), "web");
  CHECK(agent.welcome == "welcome next=1");
  std::string odd("\0\xFF\r bytes", 9);
  agent.Send(BatchFrame(1, {"ERROR one", "", odd}, kTime));
  agent.Await("ack 1");
  CHECK(collector.Lines(R"({service="web", output="stdout"})") == Lines{"ERROR one", "", odd});
  std::string target = Join("/loki/api/v1/query_range?start=0&end=4000000000&query=",
                            http::EncodePercent(R"({service="web"} |= "one")"));
  CHECK_THAT(collector.Ask("GET", target).body,
             Contains(R"({"container":"web-1","deployment":"v1","detected_level":"error",)"
                      R"("host":"node","output":"stdout","project":"shop","service":"web"})"));
}

TEST_CASE("an agent that comes back sends only what is not durable", "[collector]") {
  RunningCollector collector;
  {
    ScriptedAgent agent(collector.ingest(), "web");
    agent.Send(BatchFrame(1, {"a"}, kTime) + BatchFrame(2, {"b"}, kTime + 10));
    agent.Await("ack 2");
  }
  ScriptedAgent again(collector.ingest(), "web");
  CHECK(again.welcome == "welcome next=3");
  again.Send(BatchFrame(1, {"a"}, kTime) + BatchFrame(2, {"b"}, kTime + 10) +
             BatchFrame(3, {"c"}, kTime + 20));
  again.Await("ack 3");
  CHECK(collector.Lines(R"({service="web"})") == Lines{"a", "b", "c"});
}

TEST_CASE("acknowledged lines and the agent's place survive a restart", "[collector]") {
  auto orderly = GENERATE(true, false);
  RunningCollector collector;
  {
    ScriptedAgent agent(collector.ingest(), "web");
    agent.Send(BatchFrame(1, {"before"}, kTime));
    agent.Await("ack 1");
    if (orderly) {
      collector.Stop();
      CHECK(agent.Next() == "goodbye: the collector is stopping (retry)");
    } else {
      collector.Cut();
    }
  }
  collector.Start();
  CHECK(collector.Lines(R"({service="web"})") == Lines{"before"});
  ScriptedAgent agent(collector.ingest(), "web");
  CHECK(agent.welcome == "welcome next=2");
  agent.Send(BatchFrame(2, {"after"}, kTime + 1));
  agent.Await("ack 2");
  CHECK(collector.Lines(R"({service="web"})") == Lines{"before", "after"});
}

TEST_CASE("a newer connection of a boot takes over", "[collector]") {
  RunningCollector collector;
  ScriptedAgent old_one(collector.ingest(), "web");
  old_one.Send(BatchFrame(1, {"a"}, kTime));
  old_one.Await("ack 1");
  ScriptedAgent new_one(collector.ingest(), "web");
  CHECK(new_one.welcome == "welcome next=2");
  CHECK(old_one.Next() == "goodbye: a newer connection of this agent took over (retry)");
  CHECK(old_one.Next() == "closed");
  new_one.Send(BatchFrame(2, {"b"}, kTime + 1));
  new_one.Await("ack 2");
  AwaitOnPage(collector, "/metrics", "dunlin_agents{state=\"ok\"} 1\n");
}

TEST_CASE("a batch that cannot be read is rejected and holds nobody up", "[collector]") {
  RunningCollector collector;
  ScriptedAgent agent(collector.ingest(), "web");
  agent.Send(BatchFrame(1, {"a"}, kTime) + ingest::MalformedBatchFrame() +
             BatchFrame(3, {"c"}, kTime + 2));
  std::string word = agent.Next();
  if (word == "ack 1") word = agent.Next();
  CHECK_THAT(word, Contains("reject 2: "));
  agent.Await("ack 3");
  CHECK(collector.Lines(R"({service="web"})") == Lines{"a", "c"});
  CHECK(ScriptedAgent(collector.ingest(), "web").welcome == "welcome next=4");
}

TEST_CASE("garbage on the ingest port harms nobody", "[collector]") {
  RunningCollector collector;
  std::string noise(70'000, '\0');
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<char>(i * 31 >> 3);
  for (const std::string& garbage :
       {std::string("GET / HTTP/1.1\r\n\r\n"), noise, std::string(wire::kPreface) + noise,
        ingest::PrefaceAndHello(ingest::HelloOf("x")) + noise}) {
    Peer peer(collector.ingest());
    peer.Send(garbage);
    peer.ReceiveAll();
  }
  ScriptedAgent agent(collector.ingest(), "web");
  agent.Send(BatchFrame(1, {"still here"}, kTime));
  agent.Await("ack 1");
  CHECK_THAT(collector.Ask("GET", "/metrics").body,
             Contains("dunlin_ingest_refused_connections_total{reason=\"not_dunlin\"} 2\n"));
}

TEST_CASE("many batches at once arrive once each, in order", "[collector]") {
  RunningCollector collector;
  Lines want;
  std::string frames;
  constexpr int kBatches = 300;
  for (int i = 1; i <= kBatches; ++i) {
    // Enough to reach the limit of bytes on their way, so that reading stops and starts.
    std::string line = Join(i, ":", std::string(40'000, static_cast<char>('a' + i % 26)));
    want.push_back(line);
    frames += BatchFrame(static_cast<std::uint64_t>(i), {line}, kTime + i);
  }
  ScriptedAgent agent(collector.ingest(), "web");
  agent.Send(frames);
  agent.Await(Join("ack ", kBatches));
  CHECK(collector.Lines(R"({service="web"})") == want);
  CHECK_THAT(collector.Ask("GET", "/metrics").body,
             Contains(Join("dunlin_ingest_lines_total{protocol=\"agent\"} ", kBatches, "\n")));
  AwaitOnPage(collector, "/metrics", "dunlin_ingest_in_flight_bytes 0\n");
}

TEST_CASE("on a full disk agents are asked to wait and keep their connection", "[collector]") {
  CollectorOptions options;
  options.min_free_bytes = 1ULL << 60;
  RunningCollector collector(options);
  ScriptedAgent agent(collector.ingest(), "web");
  CHECK(agent.welcome == "welcome next=1");
  CHECK_THAT(agent.Next(), Contains("slow down: the disk of") && Contains("is full"));
  // Asked again before the pause is over, without a word from the agent.
  CHECK_THAT(agent.Next(), Contains("slow down: the disk of"));
  http::Response page = collector.Ask("GET", "/metrics");
  CHECK_THAT(page.body, Contains("dunlin_store_disk_full 1"));
  CHECK_THAT(page.body, Contains("dunlin_store_read_only 1"));
  http::Response push = collector.Ask(
      "POST", "/loki/api/v1/push", {{"Content-Type", "application/json"}},
      R"({"streams":[{"stream":{"service":"web"},"values":[["1795000000000000000","x"]]}]})");
  CHECK(push.status == 429);
  CHECK_FALSE(push.headers.Get("Retry-After").empty());
  CHECK(collector.Lines(R"({service="web"})").empty());
  // What is sent all the same is not stored, and the agent is told to come again.
  agent.Send(BatchFrame(1, {"a"}, kTime));
  std::string answer = agent.Next();
  while (answer.starts_with("slow down")) answer = agent.Next();
  CHECK_THAT(answer, Contains("goodbye: the disk of") && Contains("(retry)"));
}

TEST_CASE("agents' metrics are served relabelled", "[collector]") {
  RunningCollector collector;
  ScriptedAgent agent(collector.ingest(), "web");
  wire::Metrics metrics;
  metrics.families.push_back({"dunlin_agent_lines_captured_total",
                              "Lines read.",
                              "counter",
                              {{LabelSet{{"output", "stdout"}}, 5, ""}}});
  agent.Send(ingest::FrameOf(wire::FrameType::kMetrics, metrics));
  AwaitOnPage(collector, "/metrics/agents",
              "dunlin_agent_lines_captured_total{container=\"web-1\",deployment=\"v1\","
              "host=\"node\",output=\"stdout\",project=\"shop\",service=\"web\"} 5\n");
}

TEST_CASE("a token is asked for at both ports and can be changed", "[collector]") {
  testing::TempDir folder;
  std::string path = folder.File("token");
  std::ofstream(path) << "first\n";
  CollectorOptions options;
  options.token_file = path;
  RunningCollector collector(options);
  auto status = [&](const std::string& token) {
    return collector.Ask("GET", "/metrics", {{"Authorization", "Bearer " + token}}).status;
  };
  auto welcome = [&](const std::string& token) {
    Peer peer(collector.ingest());
    wire::Hello hello = ingest::HelloOf("web");
    hello.token = token;
    peer.Send(ingest::PrefaceAndHello(hello));
    return ingest::Describe(peer.Receive()).front();
  };
  CHECK(status("first") == 200);
  CHECK(status("wrong") == 401);
  CHECK(collector.Ask("GET", "/readyz").status == 200);
  CHECK(welcome("first") == "welcome next=1");
  CHECK(welcome("wrong") == "goodbye: the token is not this collector's (final)");

  std::ofstream(path) << "second";
  collector.Reload();
  CHECK(status("first") == 401);
  CHECK(status("second") == 200);
  CHECK(welcome("second") == "welcome next=1");

  std::ofstream(path) << "\n";
  collector.Reload();
  CHECK(status("second") == 200);
}

TEST_CASE("a collector that cannot start says why and what to do", "[collector]") {
  RunningCollector running;
  testing::TempDir folder;
  net::Loop loop;
  CollectorOptions options;
  options.data_dir = folder.File("data");
  options.http = options.ingest = {"127.0.0.1", 0};
  options.min_free_bytes = 0;
  std::string want;
  SECTION("the HTTP port is in use") {
    options.http = running.http();
    want = "--http: cannot listen on " + running.http().ToString();
  }
  SECTION("the ingest port is in use") {
    options.ingest = running.ingest();
    want = "--ingest: cannot listen on " + running.ingest().ToString();
  }
  SECTION("the data folder is held by another") {
    options.data_dir = running.data_dir();
    want = running.data_dir();
  }
  SECTION("the data folder is a file") {
    options.data_dir = folder.File("file");
    std::ofstream(options.data_dir) << "x";
    want = options.data_dir;
  }
  SECTION("a port is open to all without a token") {
    options.ingest.host = "0.0.0.0";
    want =
        "--ingest 0.0.0.0:0 can be reached from other machines: give --token-file FILE, or "
        "--tls-cert, --tls-key and --tls-client-ca FILE, or --insecure";
  }
  SECTION("the token file is missing") {
    options.token_file = folder.File("token");
    want = "--token-file: ";
  }
  auto started = Collector::Start(loop, options);
  REQUIRE_FALSE(started);
  CHECK_THAT(started.error().message(), Contains(want));
}

}  // namespace
}  // namespace dunlin::collector
