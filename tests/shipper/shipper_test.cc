#include "shipper/shipper.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "protocol/wire/batch.h"
#include "tests/shipper/scripted_collector.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::shipper {
namespace {

using namespace std::chrono_literals;
using testing::RunUntil;
using testing::ScriptedCollector;
using wire::Output;

/// The machine's clocks, with a wall clock that somebody sets.
class SetClock final : public Clock {
 public:
  LogTime Now() const override { return SystemClock().Now() + set_by; }
  SteadyTime Steady() const override { return SystemClock().Steady(); }
  std::chrono::nanoseconds set_by{0};
};

struct Rig {
  explicit Rig(ShipperOptions options = {}, bool with_collector = true,
               const Clock& clock = SystemClock()) {
    if (with_collector) {
      options.sender.emplace();
      options.sender->collectors = {collector.address()};
      options.sender->retry = {5ms, 20ms};
    }
    shipper = std::make_unique<Shipper>(loop, clock, std::move(options));
  }
  void Write(std::string_view bytes, Output output = Output::kStdout) {
    while (!bytes.empty()) {
      auto room = shipper->Reserve(output, bytes.size());
      std::size_t size = std::min(room.size(), bytes.size());
      std::memcpy(room.data(), bytes.data(), size);
      shipper->Commit(output, size);
      bytes.remove_prefix(size);
    }
  }
  void Flush() {
    bool flushed = false;
    shipper->Flush([&] { flushed = true; });
    RunUntil(loop, [&] { return flushed; });
  }
  void CheckIdentity() const {
    LineAccount a = shipper->Account();
    CHECK(a.captured == a.acknowledged + a.queued + a.spooled + a.dropped);
  }

  net::Loop loop;
  ScriptedCollector collector{loop};
  std::unique_ptr<Shipper> shipper;
};

TEST_CASE("what is written arrives, byte for byte", "[shipper]") {
  Rig rig;
  rig.shipper->Start({});
  std::string out;
  for (int i = 0; i < 5000; ++i)
    out += "line " + std::to_string(i * 7919) + std::string("\0\xFF\r", 3) + "\n";
  out += "\n\nno newline at the end";
  rig.Write(out);
  rig.Write("error\n", Output::kStderr);
  rig.CheckIdentity();
  rig.shipper->Finish(Output::kStdout);
  rig.Flush();
  CHECK(rig.collector.Text(Output::kStdout) == out);
  CHECK(rig.collector.Text(Output::kStderr) == "error\n");
  CHECK(rig.collector.entries.back().output == Output::kStdout);
  CHECK(rig.shipper->Account() == LineAccount{5004, 5004, 0, 0, 0});
  CHECK_FALSE(rig.shipper->oldest_unsent());
}

TEST_CASE("a batch leaves when it is old enough, without another line", "[shipper]") {
  ShipperOptions options;
  options.batcher.batch_age = 20ms;
  Rig rig(std::move(options));
  rig.shipper->Start({});
  rig.Write("alone\n");
  RunUntil(rig.loop, [&] { return rig.collector.durable_lines() == 1; });
}

TEST_CASE("a batch leaves when it is full, without waiting for its age", "[shipper]") {
  ShipperOptions options;
  options.batcher.batch_age = 1h;
  options.batcher.idle_batch_age = 1h;
  Rig rig(std::move(options));
  rig.shipper->Start({});
  rig.Write(std::string(1000, 'x') + "\n");
  CHECK(rig.shipper->queue().batches() == 0);
  for (int i = 0; i < 140; ++i) rig.Write(std::string(1000, 'x') + "\n");
  CHECK(rig.shipper->queue().batches() == 1);
  CHECK(rig.shipper->batch_raw_bytes().total() == 1);
  CHECK(rig.shipper->batch_raw_bytes().sum() >= 128 * 1024);
  // One line again and again: compressed it is nothing.
  CHECK(rig.shipper->batch_wire_bytes().total() == 1);
  CHECK(rig.shipper->batch_wire_bytes().sum() < 4096);
  rig.CheckIdentity();
}

TEST_CASE("a wall clock set forward and back disturbs neither batches nor their order",
          "[shipper]") {
  ShipperOptions options;
  options.batcher.batch_age = 20ms;
  SetClock clock;
  Rig rig(std::move(options), /*with_collector=*/true, clock);
  rig.shipper->Start({});
  std::uint64_t lines = 0;
  for (auto set_by : {0h, 1h, -1h}) {
    clock.set_by = set_by;
    rig.Write("out\n");
    rig.Write("err\nerr\n", Output::kStderr);
    lines += 3;
    RunUntil(rig.loop, [&] { return rig.collector.durable_lines() == lines; });
  }
  const auto& entries = rig.collector.entries;
  REQUIRE(entries.size() == 9);
  CHECK(entries[3].time_ns - entries[2].time_ns >= std::chrono::nanoseconds(1h).count());
  CHECK(entries[6].time_ns - entries[5].time_ns <= -std::chrono::nanoseconds(119min).count());
  std::uint64_t monotonic = 0;
  std::uint64_t sequence = 0;
  std::uint64_t out = 0;
  for (const auto& arrival : rig.collector.arrivals) {
    auto batch = wire::DecodeBatch(arrival.payload);
    REQUIRE(batch);
    CHECK(batch->header.sequence == ++sequence);
    CHECK(batch->header.base_monotonic_ns > monotonic);
    monotonic = batch->header.base_monotonic_ns;
    CHECK(batch->header.stdout_lines_before == out);
    CHECK(batch->header.stderr_lines_before == 2 * out);
    ++out;
  }
  CHECK(out == 3);
}

/// Lines of these sizes that do not compress.
std::string NoiseLines(std::size_t bytes, std::size_t line_bytes) {
  std::mt19937_64 random(bytes + line_bytes);
  std::string text(bytes, '\n');
  for (std::size_t i = 0; i < bytes; ++i) {
    if (i % (line_bytes + 1) != line_bytes) text[i] = static_cast<char>('!' + random() % 90);
  }
  text.back() = '\n';
  return text;
}

TEST_CASE("batches fit the frames that the collector takes", "[shipper]") {
  auto [limit, bytes, line_bytes] =
      GENERATE(table<std::uint32_t, std::size_t, std::size_t>({{512_KiB, 300'000, 0},
                                                               {512_KiB, 300'000, 1},
                                                               {512_KiB, 1'000'000, 100},
                                                               {512_KiB, 1'000'000, 250'000},
                                                               {512_KiB, 2'000'000, 900'000},
                                                               {4_MiB, 2'000'000, 100}}));
  CAPTURE(limit, line_bytes);
  ShipperOptions options;
  options.batcher.batch_bytes = 1_MiB;
  Rig rig(std::move(options));
  rig.collector.max_frame_bytes = limit;
  rig.shipper->Start({});
  // The first batch may be sealed before the collector has said anything.
  rig.Write("first\n");
  rig.Flush();
  std::string text = NoiseLines(bytes, line_bytes);
  rig.Write(text);
  rig.Flush();
  CHECK(rig.collector.connections() == 1);
  CHECK(rig.collector.hellos.size() == 1);
  CHECK(rig.collector.gaps.empty());
  for (const auto& gap : rig.collector.gaps) UNSCOPED_INFO(gap.reason << " " << gap.lines);
  const std::string got = rig.collector.Text(Output::kStdout);
  CAPTURE(got.size(), text.size(), rig.collector.arrivals.size());
  const bool same = got == "first\n" + text;
  CHECK(same);
  for (const auto& arrival : rig.collector.arrivals) CHECK(arrival.payload.size() <= limit);
  // As large as it was asked to make them, where that is no matter.
  if (limit == 4_MiB) CHECK(rig.collector.arrivals.size() == 3);
  rig.CheckIdentity();
}

TEST_CASE("what was sealed for larger frames is marked, and what follows arrives", "[shipper]") {
  Rig rig;
  rig.collector.max_frame_bytes = 64_KiB;
  const std::string large = NoiseLines(200'000, 99);
  rig.Write(large);
  rig.Write("after\n");
  rig.shipper->Start({});
  rig.Flush();
  CHECK(rig.collector.hellos.size() == 1);
  REQUIRE(rig.collector.gaps.size() == 1);
  CHECK(rig.collector.gaps[0].reason == "too_large");
  CHECK(rig.shipper->Account().dropped == rig.collector.gaps[0].lines);
  CHECK(rig.collector.durable_lines() == 2001 - rig.collector.gaps[0].lines);
  CHECK(rig.collector.entries.back().line == "after");
  rig.CheckIdentity();
}

TEST_CASE("what the rate limit leaves out is counted at once and marked in its stream",
          "[shipper]") {
  ShipperOptions options;
  options.batcher.rate_limit = 4000;
  options.batcher.batch_age = 20ms;
  Rig rig(std::move(options));
  rig.shipper->Start({});
  for (int i = 0; i < 100; ++i) rig.Write(std::string(99, 'x') + "\n", Output::kStderr);
  rig.CheckIdentity();
  const std::uint64_t dropped = rig.shipper->Account().dropped;
  CHECK(dropped > 0);
  CHECK(dropped <= 60);
  RunUntil(rig.loop, [&] { return !rig.collector.gaps.empty(); });
  CHECK(rig.collector.gaps[0].reason == "rate_limit");
  CHECK(rig.collector.gaps[0].output == Output::kStderr);
  CHECK(rig.collector.gaps[0].lines == dropped);
  CHECK(rig.collector.gaps[0].bytes == 99 * dropped);
  rig.Flush();
  CHECK(rig.collector.entries.size() == 100 - dropped);
  rig.CheckIdentity();
}

TEST_CASE("what the rate limit leaves out is marked though nothing follows", "[shipper]") {
  ShipperOptions options;
  options.batcher.rate_limit = 1;
  options.batcher.batch_age = 20ms;
  Rig rig(std::move(options));
  rig.shipper->Start({});
  rig.Write(std::string(1000, 'x') + "\n");
  RunUntil(rig.loop, [&] { return rig.collector.entries.size() == 1; });
  rig.Write("left out\n");
  RunUntil(rig.loop, [&] { return !rig.collector.gaps.empty(); });
  CHECK(rig.collector.gaps[0].lines == 1);
  rig.Write("left out, too\n");
  rig.Flush();
  CHECK(rig.collector.gaps.size() == 2);
  rig.CheckIdentity();
}

TEST_CASE("without a collector lines are counted as dropped for that reason", "[shipper]") {
  Rig rig({}, /*with_collector=*/false);
  rig.shipper->Start({});
  rig.Write("a\nb\n");
  rig.CheckIdentity();
  rig.Flush();
  CHECK(rig.shipper->Account() == LineAccount{2, 0, 0, 0, 2});
  CHECK(rig.shipper->queue().dropped()[static_cast<std::size_t>(DropReason::kNoCollector)] ==
        Dropped{2, 2});
}

std::string Noise(std::size_t lines) {
  std::string text;
  std::uint64_t state = 1;
  for (std::size_t i = 0; i < lines; ++i) {
    for (int b = 0; b < 99; ++b) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      text.push_back(static_cast<char>('!' + (state >> 33) % 90));
    }
    text.push_back('\n');
  }
  return text;
}

TEST_CASE("block: room ends at the limit, comes back with acknowledgements, nothing is lost",
          "[shipper]") {
  ShipperOptions options;
  options.queue = {200'000, WhenFull::kBlock};
  Rig rig(std::move(options));
  rig.collector.CloseListener();
  rig.shipper->Start({});
  const std::string text = Noise(20'000);
  std::size_t written = 0;
  bool resumed = true;
  auto pump = [&] {
    while (rig.shipper->has_room() && written < text.size()) {
      std::size_t size = std::min<std::size_t>(10'000, text.size() - written);
      rig.Write(std::string_view(text).substr(written, size));
      written += size;
    }
  };
  pump();
  CHECK_FALSE(rig.shipper->has_room());
  CHECK(written < 600'000);
  CHECK(rig.shipper->queue().bytes() < 200'000 + 150'000);
  rig.shipper->on_room = [&] {
    resumed = true;
    pump();
  };
  resumed = false;
  rig.collector.OpenListener();
  RunUntil(rig.loop, [&] { return written == text.size(); });
  CHECK(resumed);
  rig.Flush();
  CHECK(rig.collector.Text(Output::kStdout) == text);
  CHECK(rig.shipper->Account() == LineAccount{20'000, 20'000, 0, 0, 0});
}

TEST_CASE("drop-oldest: memory stays at its limit and the gap equals the counter", "[shipper]") {
  ShipperOptions options;
  options.queue = {200'000, WhenFull::kDropOldest};
  Rig rig(std::move(options));
  rig.collector.CloseListener();
  rig.shipper->Start({});
  for (int i = 0; i < 20; ++i) {
    rig.Write(Noise(1000));
    CHECK(rig.shipper->queue().bytes() <= 200'000);
    rig.CheckIdentity();
  }
  rig.collector.OpenListener();
  rig.Flush();
  auto dropped = rig.shipper->queue().dropped()[static_cast<std::size_t>(DropReason::kMemoryFull)];
  CHECK(dropped.lines > 10'000);
  std::uint64_t in_gaps = 0;
  for (const wire::Gap& gap : rig.collector.gaps) in_gaps += gap.lines;
  CHECK(in_gaps == dropped.lines);
  CHECK(rig.collector.durable_lines() == 20'000 - dropped.lines);
  rig.CheckIdentity();
}

TEST_CASE("memory is given back once what waited is delivered", "[shipper]") {
  Rig rig;
  int released = 0;
  rig.shipper->on_released = [&] { ++released; };
  rig.shipper->Start({});
  RunUntil(rig.loop, [&] { return rig.shipper->sender()->connected(); });
  rig.Write("a line\n");
  rig.Flush();
  CHECK(released == 0);  // nothing waited
  SECTION("for a connection, much") {
    rig.collector.CloseListener();
    rig.collector.Cut();
    RunUntil(rig.loop, [&] { return !rig.shipper->sender()->connected(); });
    const std::string text = Noise(20'000);
    while (rig.shipper->queue().bytes() < 300'000) rig.Write(text);
    CHECK(released == 0);
    rig.collector.OpenListener();
  }
  SECTION("for a connection, hardly anything") {
    rig.collector.CloseListener();
    rig.collector.Cut();
    RunUntil(rig.loop, [&] { return !rig.shipper->sender()->connected(); });
    rig.Write("a line\n");
    RunUntil(rig.loop, [&] { return rig.shipper->queue().batches() == 1; });
    CHECK(released == 0);
    rig.collector.OpenListener();
  }
  SECTION("for acknowledgements, much") {
    rig.collector.acknowledge = false;
    const std::string text = Noise(20'000);
    while (rig.shipper->queue().bytes() < 300'000) rig.Write(text);
    RunUntil(rig.loop, [&] { return rig.collector.durable_lines() > 1; });
    CHECK(released == 0);
    rig.collector.acknowledge = true;
    rig.collector.Acknowledge();
  }
  rig.Flush();
  CHECK(released == 1);
  rig.Write("a line\n");
  rig.Flush();
  CHECK(released == 1);  // once
}

TEST_CASE("buffers are given back between two batches", "[shipper]") {
  Rig rig;
  int released = 0;
  rig.shipper->on_released = [&] { ++released; };
  rig.shipper->Start({});
  RunUntil(rig.loop, [&] { return rig.shipper->sender()->connected(); });
  rig.shipper->ReleaseBuffers();
  CHECK(released == 1);  // at once: no batch has begun
  rig.Write("a line\n");
  rig.shipper->ReleaseBuffers();
  CHECK(released == 1);
  rig.Flush();
  CHECK(released == 2);
  rig.Write("another\n");
  rig.Flush();
  CHECK(released == 2);
  CHECK(rig.collector.Text(Output::kStdout) == "a line\nanother\n");
}

TEST_CASE("what arrives is the same whenever buffers are given back", "[shipper]") {
  Rig rig;
  rig.shipper->Start({});
  std::string text;
  for (int i = 0; i < 10; ++i) {
    for (const std::string& part : {Noise(500), std::string("begun, "), std::string(700'000, 'x'),
                                    std::string("\n"), Noise(3)}) {
      rig.Write(part);
      text += part;
      rig.shipper->ReleaseBuffers();
    }
    rig.Flush();
    rig.shipper->ReleaseBuffers();
  }
  CHECK(rig.collector.Text(Output::kStdout) == text);
  rig.CheckIdentity();
}

TEST_CASE("giving up counts what was not acknowledged", "[shipper]") {
  Rig rig;
  rig.collector.acknowledge = false;
  rig.shipper->Start({});
  rig.Write("a\nb\n");
  rig.shipper->Flush([] {});
  RunUntil(rig.loop, [&] { return rig.collector.durable_lines() == 2; });
  rig.Write("c\n");
  rig.shipper->Abandon();
  CHECK(rig.shipper->Account() == LineAccount{3, 0, 0, 0, 3});
}

}  // namespace
}  // namespace dunlin::shipper
