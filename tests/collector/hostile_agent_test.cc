// What somebody can do to a collector who may connect, or who even has its token: each case ends
// with a refusal that is counted, and with an honest agent that is served.
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "protocol/base/text.h"
#include "tests/collector/collector_fixture.h"
#include "tests/ingest/agent_frames.h"
#include "tests/support/catch.h"

namespace dunlin::collector {
namespace {

using ingest::BatchFrame;

constexpr std::int64_t kTime = 1'795'000'000'000'000'000;

double MetricOf(RunningCollector& collector, std::string_view series) {
  std::string page = collector.Ask("GET", "/metrics").body;
  std::size_t at = page.find(Join("\n", series, " "));
  CAPTURE(series);
  REQUIRE(at != std::string::npos);
  return std::stod(page.substr(at + series.size() + 2));
}

double Refused(RunningCollector& collector, std::string_view reason) {
  return MetricOf(collector,
                  Join("dunlin_ingest_refused_connections_total{reason=\"", reason, "\"}"));
}

void CheckServes(RunningCollector& collector) {
  ScriptedAgent agent(collector.ingest(), "honest", 99);
  CHECK(agent.welcome == "welcome next=1");
  agent.Send(BatchFrame(1, {"served"}, kTime));
  agent.Await("ack 1");
  CHECK(collector.Lines(R"({service="honest"})") == std::vector<std::string>{"served"});
}

TEST_CASE("strangers who say nothing keep no agent out", "[collector][hostile]") {
  CollectorOptions options;
  options.max_agents = 40;
  RunningCollector collector(options);
  std::vector<std::unique_ptr<ScriptedAgent>> agents;
  for (std::uint8_t id = 1; id <= 20; ++id) {
    agents.push_back(std::make_unique<ScriptedAgent>(collector.ingest(), Join("web-", id), id));
  }
  std::vector<std::unique_ptr<Peer>> strangers;
  for (int i = 0; i < 200; ++i) {
    strangers.push_back(std::make_unique<Peer>(collector.ingest()));
    // As far as one comes without saying who one is.
    if (i % 2 == 0) strangers.back()->Send(wire::kPreface);
  }
  CheckServes(collector);
  CHECK(MetricOf(collector, "dunlin_ingest_connections") <= 40);
  CHECK(Refused(collector, "too_many") >= 180);
  // Those who were there have noticed nothing.
  for (auto& agent : agents) {
    agent->Send(BatchFrame(1, {"still here"}, kTime));
    agent->Await("ack 1");
  }
}

TEST_CASE("past the most agents a further one is turned away", "[collector][hostile]") {
  CollectorOptions options;
  options.max_agents = 3;
  RunningCollector collector(options);
  std::vector<std::unique_ptr<ScriptedAgent>> agents;
  for (std::uint8_t id = 1; id <= 3; ++id) {
    agents.push_back(std::make_unique<ScriptedAgent>(collector.ingest(), "web", id));
  }
  ScriptedAgent further(collector.ingest(), "web", 4);
  CHECK(further.welcome == "closed");
  CHECK(Refused(collector, "too_many") == 1);
  agents[0]->Send(BatchFrame(1, {"a"}, kTime));
  agents[0]->Await("ack 1");
}

TEST_CASE("a frame that claims to be giant ends its connection", "[collector][hostile]") {
  RunningCollector collector;
  auto [known, bytes] = GENERATE(table<bool, std::uint32_t>({
      {false, wire::kMaxHelloBytes + 1},
      {false, 0xFFFF'FFFF},
      {true, wire::kMaxFramePayloadBytes + 1},
      {true, 0xFFFF'FFFF},
  }));
  CAPTURE(known, bytes);
  std::string header;
  wire::AppendFrame(header, known ? wire::FrameType::kBatch : wire::FrameType::kHello, "");
  for (unsigned i = 0; i < 4; ++i) header[i] = static_cast<char>(bytes >> (8 * i));
  if (known) {
    ScriptedAgent agent(collector.ingest(), "web");
    agent.Send(header);
    CHECK_THAT(agent.Next(), Catch::Matchers::Contains("over the limit of"));
    CHECK(agent.Next() == "closed");
  } else {
    Peer peer(collector.ingest());
    peer.Send(std::string(wire::kPreface) + header);
    CHECK_THAT(ingest::Describe(peer.ReceiveAll()).front(),
               Catch::Matchers::Contains("over the limit of"));
  }
  CHECK(Refused(collector, "protocol") == 1);
  CheckServes(collector);
}

TEST_CASE("batches that unfold to far more than they are get rejected whole",
          "[collector][hostile]") {
  RunningCollector collector;
  ScriptedAgent agent(collector.ingest(), "web");
  // Some 500 bytes to millions of lines, as many times as a connection may have on its way.
  const std::string bomb = BatchFrame(1, std::vector<std::string>(4'000'000, ""), kTime);
  REQUIRE(bomb.size() < 20'000);
  constexpr std::uint64_t kBombs = 20;
  for (std::uint64_t i = 0; i < kBombs; ++i) agent.Send(bomb);
  agent.Send(BatchFrame(kBombs + 1, {"after"}, kTime));
  for (std::uint64_t i = 1; i <= kBombs; ++i) {
    CHECK_THAT(agent.Next(), Catch::Matchers::StartsWith(Join("reject ", i, ": ")) &&
                                 Catch::Matchers::Contains("4000000 entries are over the limit"));
  }
  CHECK(agent.Next() == Join("ack ", kBombs + 1));
  CHECK(collector.Lines(R"({service="web"})") == std::vector<std::string>{"after"});
  CHECK(MetricOf(collector, "dunlin_ingest_rejected_batches_total") == kBombs);
  CheckServes(collector);
}

TEST_CASE("a sequence far away is refused and moves nobody", "[collector][hostile]") {
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();
  RunningCollector collector;
  {
    ScriptedAgent agent(collector.ingest(), "web");
    agent.Send(BatchFrame(kLast, {"a"}, kTime));
    CHECK(agent.Next() == Join("goodbye: batch ", kLast, " came where 1 was expected (retry)"));
  }
  {
    ScriptedAgent agent(collector.ingest(), "web");
    CHECK(agent.welcome == "welcome next=1");
    agent.Send(ingest::RangeFrame(1, kLast));
    CHECK(agent.Next() == "goodbye: a batch that none could follow (final)");
  }
  CHECK(Refused(collector, "protocol") == 1);
  ScriptedAgent agent(collector.ingest(), "web");
  CHECK(agent.welcome == "welcome next=1");
  agent.Send(ingest::RangeFrame(1, kLast - 1));
  agent.Await(Join("ack ", kLast - 1));
  // Its own numbering is used up, and nobody else's.
  agent.Send(BatchFrame(kLast, {"a"}, kTime));
  CHECK(agent.Next() == "goodbye: a batch that none could follow (final)");
  CheckServes(collector);
}

TEST_CASE("an agent that does not read its answers is cut off", "[collector][hostile]") {
  RunningCollector collector;
  Peer peer(collector.ingest());
  peer.TakeLittle();
  peer.Send(ingest::PrefaceAndHello(ingest::HelloOf("web")));
  std::string pings;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    pings += ingest::FrameOf(wire::FrameType::kPing, wire::Ping{1ULL << 63 | i});
  }
  // The kernel holds some megabytes for a peer that does not read.
  for (int i = 0; i < 200 && Refused(collector, "stalled") == 0; ++i) peer.Send(pings);
  CHECK(Refused(collector, "stalled") == 1);
  CheckServes(collector);
}

TEST_CASE("each start of an agent is remembered apart, and no more than that",
          "[collector][hostile]") {
  RunningCollector collector;
  constexpr std::uint8_t kBoots = 120;
  for (std::uint8_t boot = 1; boot <= kBoots; ++boot) {
    Peer peer(collector.ingest());
    wire::Hello hello = ingest::HelloOf("web");
    hello.boot_id.fill(boot);
    peer.Send(ingest::PrefaceAndHello(hello) + std::string());
    REQUIRE(ingest::Describe(peer.Receive()).front() == "welcome next=1");
    // A connection alone costs nothing that stays; a batch does.
    if (boot % 2 == 0) continue;
    peer.Send(BatchFrame(1, {"a"}, kTime + boot));
    REQUIRE(ingest::Describe(peer.Receive()).front() == "ack 1");
  }
  CHECK(MetricOf(collector, "dunlin_store_dedup_boots") == kBoots / 2);
  CHECK(MetricOf(collector, "dunlin_agents{state=\"ok\"}") <= 1);
}

}  // namespace
}  // namespace dunlin::collector
