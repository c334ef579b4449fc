#include "shipper/sender.h"

#include <string>

#include "tests/shipper/sender_pair.h"
#include "tests/support/catch.h"

namespace dunlin::shipper {
namespace {

using namespace std::chrono_literals;
using testing::ScriptedCollector;

TEST_CASE("batches reach the collector in order and are acknowledged", "[shipper][sender]") {
  Pair pair;
  int progress = 0;
  pair.sender->on_progress = [&] { ++progress; };
  pair.Start();
  pair.Push(200);
  pair.RunToEmpty();
  CHECK(pair.collector.durable() == 200);
  CHECK(pair.queue->acknowledged_lines() == 600);
  CHECK(pair.collector.arrivals.size() == 200);
  CHECK(progress > 0);
  REQUIRE(pair.collector.hellos.size() == 1);
  CHECK(pair.collector.hellos[0].service == "tested");
  CHECK(pair.collector.hellos[0].first_sequence == 1);
  CHECK(pair.collector.hellos[0].metrics_address == "10.1.2.3:18888");
  CHECK(pair.sender->connected());
  const SenderStatistics& statistics = pair.sender->statistics();
  CHECK(statistics.sessions.batches_sent == 200);
  CHECK(statistics.sessions.batches_again == 0);
  CHECK(statistics.sessions.ack_latency.total() == 200);
  CHECK(statistics.batches_lost == 0);
  CHECK(statistics.last_ack);
  CHECK(statistics.connected_since <= statistics.last_ack);
  CHECK_FALSE(pair.collector.failed());
}

TEST_CASE("lines flow once a collector appears, however late", "[shipper][sender]") {
  Pair pair;
  pair.collector.CloseListener();
  pair.Start();
  pair.Push(3);
  pair.Run([&] { return pair.Errors(SendErrorKind::kConnect) >= 3; });
  CHECK_FALSE(pair.sender->connected());
  CHECK_FALSE(pair.sender->statistics().last_error.empty());
  pair.collector.OpenListener();
  pair.RunToEmpty();
  CHECK(pair.collector.durable_lines() == 9);
  CHECK(pair.sender->statistics().last_error.empty());
}

TEST_CASE("a collector that never acknowledges is left, and nothing is lost", "[shipper][sender]") {
  Pair pair;
  pair.options.session.ack_timeout = kShort;
  pair.Make();
  pair.collector.acknowledge = false;
  pair.Start();
  pair.Push(2);
  pair.Run([&] { return pair.Errors(SendErrorKind::kTimeout) >= 1; });
  CHECK(pair.queue->lines() == 6);
  pair.collector.acknowledge = true;
  pair.RunToEmpty();
  CHECK(pair.queue->acknowledged_lines() == 6);
  CHECK(pair.collector.durable_lines() == 6);
}

TEST_CASE("a late acknowledgement counts as much as an early one", "[shipper][sender]") {
  Pair pair;
  pair.collector.acknowledge = false;
  pair.Start();
  pair.Push(5);
  pair.Run([&] { return pair.collector.durable() == 5; });
  CHECK(pair.queue->acknowledged_lines() == 0);
  pair.collector.Acknowledge();
  pair.RunToEmpty();
  CHECK(pair.sender->statistics().connections == 1);
}

TEST_CASE("after a cut the same bytes are sent again from the last acknowledgement",
          "[shipper][sender]") {
  Pair pair;
  pair.collector.keep = false;
  pair.Start();
  pair.Push(4);
  pair.Run([&] { return pair.collector.arrivals.size() == 4; });
  auto first = pair.collector.arrivals;
  pair.collector.keep = true;
  pair.collector.Cut();
  pair.RunToEmpty();
  REQUIRE(pair.collector.arrivals.size() == 8);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(pair.collector.arrivals[4 + i].sequence == first[i].sequence);
    CHECK(pair.collector.arrivals[4 + i].payload == first[i].payload);
  }
  CHECK(pair.Errors(SendErrorKind::kReset) >= 1);
  CHECK(pair.sender->statistics().connections == 2);
  CHECK(pair.sender->statistics().batches_lost == 4);
  CHECK(pair.sender->statistics().sessions.batches_again == 4);
}

TEST_CASE("a lost acknowledgement does not send again what is durable", "[shipper][sender]") {
  Pair pair;
  pair.collector.acknowledge = false;
  pair.Start();
  pair.Push(3);
  pair.Run([&] { return pair.collector.durable() == 3; });
  pair.collector.Cut();
  pair.RunToEmpty();
  CHECK(pair.collector.arrivals.size() == 3);
  CHECK(pair.queue->acknowledged_lines() == 9);
}

TEST_CASE("connections cut again and again in the middle of frames lose nothing",
          "[shipper][sender]") {
  Pair pair;
  int arrived = 0;
  pair.collector.on_batch = [&](const ScriptedCollector::Batch&) {
    if (++arrived % 7 != 0) return false;
    pair.collector.Cut();
    return true;
  };
  pair.Start();
  pair.Push(100, 50);
  pair.RunToEmpty();
  CHECK(pair.collector.durable_lines() == 5000);
  CHECK(pair.queue->acknowledged_lines() == 5000);
  CHECK_FALSE(pair.collector.failed());
  // Whatever was sent was answered on its connection, or lost with it.
  const SenderStatistics& statistics = pair.sender->statistics();
  CHECK(statistics.connections > 10);
  CHECK(statistics.sessions.batches_sent ==
        statistics.sessions.ack_latency.total() + statistics.batches_lost);
  CHECK(statistics.sessions.batches_sent == 100 + statistics.sessions.batches_again);
}

TEST_CASE("a rejected batch is counted and the next one follows", "[shipper][sender]") {
  Pair pair;
  pair.collector.on_batch = [&](const ScriptedCollector::Batch& batch) {
    if (batch.sequence != 2) return false;
    pair.collector.Send(wire::FrameType::kReject, wire::Encode(wire::Reject{2, "no"}));
    pair.collector.keep = false;
    return true;
  };
  pair.Start();
  pair.Push(2);
  pair.Run([&] {
    return pair.queue->dropped()[static_cast<std::size_t>(DropReason::kRejected)].lines == 3;
  });
  CHECK(pair.Errors(SendErrorKind::kRejected) == 1);
  CHECK(pair.queue->rejected_batches() == 1);
  pair.Push(1);
  pair.Run([&] {
    return !pair.collector.arrivals.empty() && pair.collector.arrivals.back().sequence >= 3;
  });
  auto next = wire::DecodeBatch(pair.collector.arrivals.back().payload);
  REQUIRE(next);
  CHECK(next->header.gaps.size() <= 1);
}

TEST_CASE("slow down holds batches back for a while", "[shipper][sender]") {
  Pair pair;
  pair.Start();
  pair.Run([&] { return pair.sender->connected(); });
  pair.collector.Send(wire::FrameType::kSlowDown, wire::Encode(wire::SlowDown{50, "busy"}));
  // Answered only after the slow-down has been read.
  pair.collector.Send(wire::FrameType::kPing, wire::Encode(wire::Ping{1}));
  const SteadyTime begin = SystemClock().Steady();
  pair.Run([&] { return pair.sender->pause().has_value(); });
  CHECK(*pair.sender->pause() <= 50ms);
  CHECK(pair.sender->statistics().sessions.slow_down_reason == "busy");
  pair.Push(1);
  pair.Run([&] { return pair.queue->empty(); });
  CHECK(SystemClock().Steady() - begin >= 45ms);
  CHECK_FALSE(pair.sender->pause());
}

TEST_CASE("garbage from the collector ends the connection and is survived", "[shipper][sender]") {
  Pair pair;
  pair.Start();
  pair.Run([&] { return pair.sender->connected(); });
  pair.collector.SendBytes("HTTP/1.1 400 Bad Request\r\n\r\n");
  pair.Run([&] { return pair.Errors(SendErrorKind::kProtocol) == 1; });
  pair.Push(1);
  pair.RunToEmpty();
}

TEST_CASE("a collector that does not read costs bounded memory and is left", "[shipper][sender]") {
  Pair pair;
  pair.options.session.ack_timeout = kShort;
  pair.Make();
  pair.Start();
  pair.Run([&] { return pair.sender->connected(); });
  pair.collector.StopReading();
  for (int i = 0; i < 60; ++i) PushBatch(*pair.queue, 300, 200);
  pair.sender->OnQueued();
  pair.Run([&] { return pair.Errors(SendErrorKind::kTimeout) >= 1; });
  pair.RunToEmpty();
  CHECK(pair.collector.durable_lines() + pair.queue->dropped()[0].lines == 60 * 300);
}

TEST_CASE("a refusal is not asked about again soon, another collector is", "[shipper][sender]") {
  Pair pair;
  ScriptedCollector second(pair.loop);
  pair.Make({pair.collector.address(), second.address()});
  pair.collector.welcome = false;
  pair.Start();
  pair.Run([&] { return !pair.collector.hellos.empty(); });
  pair.collector.Send(wire::FrameType::kGoodbye, wire::Encode(wire::Goodbye{"bad token", false}));
  pair.Run([&] { return pair.sender->connected(); });
  CHECK(pair.Errors(SendErrorKind::kRefused) == 1);
  CHECK(second.hellos.size() == 1);
}

TEST_CASE("metrics arrive right after the welcome", "[shipper][sender]") {
  Pair pair;
  pair.sender->metrics = [] {
    return std::vector<wire::MetricFamily>{{"dunlin_test", "Help.", "gauge", {{{}, 7, ""}}}};
  };
  pair.Start();
  pair.Run([&] { return !pair.collector.metrics.empty(); });
  REQUIRE(pair.collector.metrics[0].families.size() == 1);
  CHECK(pair.collector.metrics[0].families[0].samples[0].value == 7);
}

TEST_CASE("a stopped sender drops its connection and makes no other", "[shipper][sender]") {
  Pair pair;
  pair.Start();
  pair.Run([&] { return pair.sender->connected(); });
  pair.sender->Stop();
  CHECK_FALSE(pair.sender->connected());
  pair.Run([&] { return pair.collector.connections() == 0; });
  CHECK(pair.collector.hellos.size() == 1);
}

}  // namespace
}  // namespace dunlin::shipper
