#include "collector/ingest/agent_listener.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <random>
#include <vector>

#include "protocol/base/text.h"
#include "protocol/metrics/registry.h"
#include "protocol/net/connection.h"
#include "tests/ingest/agent_frames.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"
#include "tests/support/manual_clock.h"

namespace dunlin::ingest {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using testing::RunUntil;

/// Keeps batches waiting until it is told to call them durable.
class HoldingStore final : public store::Store {
 public:
  void Append(store::AppendRequest, AppendDone done) override {
    std::lock_guard lock(mutex_);
    held_.push_back(std::move(done));
    most_held_ = std::max(most_held_, held_.size());
  }
  void Finish() {
    std::vector<AppendDone> held;
    {
      std::lock_guard lock(mutex_);
      held.swap(held_);
    }
    for (const AppendDone& done : held) done(store::AppendOutcome::kStored);
  }
  std::size_t held() const {
    std::lock_guard lock(mutex_);
    return held_.size();
  }
  std::size_t most_held() const {
    std::lock_guard lock(mutex_);
    return most_held_;
  }

  std::uint64_t NextSequence(const RandomId&, const RandomId&) override { return 1; }
  std::vector<LabelSet> Streams(std::int64_t, std::int64_t) override { return {}; }
  Result<store::ScanStats> Scan(const store::ScanRequest&, const Visit&) override {
    return store::ScanStats{};
  }
  Result<store::CountResult> Count(const store::CountRequest&) override {
    return store::CountResult{};
  }
  Result<void> Flush() override { return {}; }
  Result<void> Compact() override { return {}; }
  Result<void> ApplyRetention() override { return {}; }
  std::optional<Error> Refusal() override { return std::nullopt; }
  store::StoreStats Stats() override { return {}; }

 private:
  mutable std::mutex mutex_;
  std::vector<AppendDone> held_;
  std::size_t most_held_ = 0;
};

/// One agent, on the loop of the listener.
class Agent {
 public:
  Agent(net::Loop& loop, const net::HostPort& address, std::size_t id)
      : connector_(net::Connector::Connect(
            loop, address, 20s, [this, id](Result<std::unique_ptr<net::Connection>> connected) {
              if (connected) Begin(*std::move(connected), id);
            })) {}

  void Send(std::string bytes) { connection_->Write(std::move(bytes)); }
  bool Heard(std::string_view word) const {
    return std::find(words_.begin(), words_.end(), word) != words_.end();
  }
  bool welcome() const { return Heard("welcome next=1"); }
  std::uint64_t acknowledged() const { return acknowledged_; }
  bool closed() const { return closed_; }

 private:
  void Begin(std::unique_ptr<net::Connection> connection, std::size_t id) {
    connection_ = std::move(connection);
    connection_->on_data = [this](std::string_view bytes) { OnBytes(bytes); };
    connection_->on_close = [this](const std::optional<Error>&) { closed_ = true; };
    connection_->StartReading();
    wire::Hello hello = HelloOf(Join("web", id));
    hello.agent_id[0] = static_cast<std::uint8_t>(id % 256);
    hello.agent_id[1] = static_cast<std::uint8_t>(id / 256);
    Send(PrefaceAndHello(hello));
  }

  void OnBytes(std::string_view bytes) {
    frames_.Feed(bytes);
    for (auto frame = frames_.Next(); frame && *frame; frame = frames_.Next()) {
      if ((*frame)->type == wire::FrameType::kAck) {
        acknowledged_ = wire::DecodeAck((*frame)->payload)->sequence;
      }
      std::string whole;
      wire::AppendFrame(whole, (*frame)->type, (*frame)->payload);
      words_.push_back(Describe(whole).front());
    }
  }

  std::unique_ptr<net::Connector> connector_;
  std::unique_ptr<net::Connection> connection_;
  wire::FrameReader frames_;
  std::vector<std::string> words_;
  std::uint64_t acknowledged_ = 0;
  bool closed_ = false;
};

/// A listener and its agents on one loop, which reads little at a time.
struct Port {
  explicit Port(const ReadGate::Limits& limits) {
    AgentListenerOptions options;
    options.limits = limits;
    auto listening = AgentListener::Listen({"127.0.0.1", 0}, options,
                                           {loop, workers, store, directory, metrics, clock});
    REQUIRE(listening);
    listener = *std::move(listening);
  }

  void Connect(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t id = agents.size();
      agents.push_back(std::make_unique<Agent>(loop, listener->local_address(), id));
    }
    RunUntil(
        loop,
        [&] {
          return std::all_of(agents.begin(), agents.end(),
                             [](auto& agent) { return agent->welcome(); });
        },
        60s);
  }

  double Gauge(std::string_view name) const {
    std::string page = registry.Exposition();
    std::size_t at = page.find(Join("\n", name, " "));
    REQUIRE(at != std::string::npos);
    return std::stod(page.substr(at + name.size() + 2));
  }

  net::Loop loop{16_KiB};
  net::WorkerPool workers{loop, 2};
  HoldingStore store;
  AgentDirectory directory;
  metrics::Registry registry;
  collector::CollectorMetrics metrics{registry};
  testing::ManualClock clock;
  std::unique_ptr<AgentListener> listener;
  std::vector<std::unique_ptr<Agent>> agents;
};

/// Hardly to be compressed.
std::string Noise(std::size_t size) {
  static std::mt19937_64 random(11);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>('!' + random() % 90);
  return text;
}

TEST_CASE("hundreds of agents share what may be held, and each gets its turns",
          "[ingest][listener]") {
  constexpr std::uint64_t kBatches = 8;
  ReadGate::Limits limits;
  limits.connection_bytes = 32_KiB;
  limits.total_bytes = 128_KiB;  // some eight batches
  Port port(limits);
  port.Connect(300);
  std::string frames;
  for (std::uint64_t i = 1; i <= kBatches; ++i) frames += BatchFrame(i, {Noise(8000)});
  for (auto& agent : port.agents) agent->Send(frames);
  std::uint64_t least_when_one_is_done = kBatches + 1;  // not yet
  RunUntil(
      port.loop,
      [&] {
        port.store.Finish();
        auto [least, most] = std::minmax_element(
            port.agents.begin(), port.agents.end(),
            [](auto& a, auto& b) { return a->acknowledged() < b->acknowledged(); });
        if ((*most)->acknowledged() == kBatches && least_when_one_is_done > kBatches) {
          least_when_one_is_done = (*least)->acknowledged();
          CHECK(least_when_one_is_done > 1);
        }
        return (*least)->acknowledged() == kBatches;
      },
      120s);
  CHECK(port.store.most_held() > 1);
  CHECK(port.store.most_held() <= 14);
  CHECK(port.Gauge("dunlin_ingest_in_flight_bytes") == 0);
  CHECK(port.Gauge("dunlin_ingest_partial_frame_bytes") == 0);
}

TEST_CASE("agents are asked to pause before they are no longer read", "[ingest][listener]") {
  ReadGate::Limits limits;
  limits.total_bytes = 128_KiB;
  Port port(limits);
  port.Connect(3);
  Agent& a = *port.agents[0];
  Agent& b = *port.agents[1];
  Agent& c = *port.agents[2];
  for (Agent* agent : {&a, &b}) {
    for (std::uint64_t i = 1; i <= 3; ++i) agent->Send(BatchFrame(i, {Noise(8000)}));
  }
  RunUntil(port.loop, [&] { return port.store.held() == 6; });
  CHECK_FALSE(a.Heard("slow down: the collector is busy"));
  port.clock.Advance(2s);
  a.Send(BatchFrame(4, {Noise(8000)}));
  RunUntil(port.loop, [&] { return a.Heard("slow down: the collector is busy"); });
  CHECK_FALSE(c.Heard("slow down: the collector is busy"));
  // It is a request; what comes all the same is taken, up to the limit.
  RunUntil(port.loop, [&] { return port.store.held() == 7; });
  b.Send(BatchFrame(4, {Noise(60'000)}));
  RunUntil(port.loop, [&] { return port.store.held() == 8; });
  c.Send(BatchFrame(1, {Noise(8000)}));
  RunUntil(port.loop, [&] { return port.Gauge("dunlin_ingest_unread_connections") == 3; });
  CHECK(port.store.held() == 8);
  RunUntil(port.loop, [&] {
    port.store.Finish();
    return a.acknowledged() == 4 && b.acknowledged() == 4 && c.acknowledged() == 1;
  });
}

TEST_CASE("few large frames come in at once, and none may dawdle while others wait",
          "[ingest][listener]") {
  std::vector<std::string> lines;
  for (int i = 0; i < 100; ++i) lines.push_back(Noise(10'000));
  const std::string frame = BatchFrame(1, lines);
  REQUIRE(frame.size() > 500'000);
  constexpr std::size_t kLarge = 20;
  ReadGate::Limits limits;
  limits.large_frame_bytes = 3 * frame.size();
  Port port(limits);
  port.Connect(kLarge + 1);
  auto held = [&] { return port.Gauge("dunlin_ingest_partial_frame_bytes"); };
  for (std::size_t i = 0; i < kLarge; ++i) {
    port.agents[i]->Send(frame.substr(0, frame.size() - 1));
  }
  RunUntil(port.loop,
           [&] { return held() >= static_cast<double>(3 * (frame.size() - 1) + 17 * 16_KiB); });
  CHECK(held() <= static_cast<double>(3 * frame.size() + 17 * 32_KiB));
  Agent& other = *port.agents.back();
  other.Send(BatchFrame(1, {"small"}));
  RunUntil(port.loop, [&] {
    port.store.Finish();
    return other.acknowledged() == 1;
  });
  auto ended = [&] {
    return std::count_if(port.agents.begin(), port.agents.end(),
                         [](auto& agent) { return agent->closed(); });
  };
  CHECK(ended() == 0);
  port.clock.Advance(31s);
  RunUntil(port.loop, [&] { return ended() == 3; });
  for (std::size_t i = 0; i < kLarge; ++i) {
    if (!port.agents[i]->closed()) port.agents[i]->Send(frame.substr(frame.size() - 1));
  }
  RunUntil(port.loop, [&] {
    port.store.Finish();
    return std::count_if(port.agents.begin(), port.agents.end(),
                         [](auto& agent) { return agent->acknowledged() == 1; }) == kLarge + 1 - 3;
  });
  CHECK(ended() == 3);
  CHECK(held() == 0);
}

}  // namespace
}  // namespace dunlin::ingest
