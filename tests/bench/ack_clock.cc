// Measures the time from an application's write(2) to the acknowledgement of its line, as it comes
// over the wire: stands between an agent and a collector, passes everything on, and looks for the
// lines of `line_writer stamped`, which begin with the monotonic time at which they were written.
//
//   ack_clock COLLECTOR_PORT
//
// Prints its own address. On SIGTERM it prints "LINES MEDIAN P99 MAX", times in seconds, and ends.
// Being in the way costs the connection some microseconds, which are part of what it measures.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/net/connection.h"
#include "protocol/net/loop.h"
#include "protocol/net/signals.h"
#include "protocol/wire/batch.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/messages.h"

namespace {

using namespace std::chrono_literals;
using namespace dunlin;

constexpr std::size_t kStampDigits = 19;

/// The clock that the stamps are of.
std::int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Batches that have passed and wait for their acknowledgement, and how long those before them
/// waited.
class AckClock {
 public:
  void OnBatch(std::string_view payload) {
    auto view = wire::DecodeBatch(payload);
    if (!view || !decoder_.Decode(*view, columns_)) return;
    Waiting waiting{view->header.sequence, {}};
    std::string_view lines = columns_.lines;
    for (const std::uint32_t length : columns_.line_lengths) {
      const std::string stamp(lines.substr(0, std::min<std::size_t>(length, kStampDigits)));
      lines.remove_prefix(length + 1);
      if (stamp.size() == kStampDigits) waiting.stamps.push_back(std::atoll(stamp.c_str()));
    }
    waiting_.push_back(std::move(waiting));
  }

  void OnAck(std::uint64_t sequence, std::int64_t now_ns) {
    for (; !waiting_.empty() && waiting_.front().sequence <= sequence; waiting_.pop_front()) {
      for (const std::int64_t stamp : waiting_.front().stamps) times_ns_.push_back(now_ns - stamp);
    }
  }

  void Print() {
    std::sort(times_ns_.begin(), times_ns_.end());
    auto at = [this](double share) {
      if (times_ns_.empty()) return 0.0;
      const auto last = static_cast<double>(times_ns_.size() - 1);
      return static_cast<double>(times_ns_[static_cast<std::size_t>(share * last)]) / 1e9;
    };
    std::printf("%zu %.6f %.6f %.6f\n", times_ns_.size(), at(0.5), at(0.99), at(1));
    std::fflush(stdout);
  }

 private:
  struct Waiting {
    std::uint64_t sequence;
    std::vector<std::int64_t> stamps;
  };

  wire::BatchDecoder decoder_;
  wire::Columns columns_;
  std::deque<Waiting> waiting_;
  std::vector<std::int64_t> times_ns_;
};

/// The one connection that is measured, both halves of it.
class Relay {
 public:
  Relay(net::Loop& loop, std::uint16_t port, AckClock& clock)
      : loop_(loop), port_(port), clock_(clock) {}

  void Accept(std::unique_ptr<net::Connection> agent) {
    agent_ = std::move(agent);
    connector_ = net::Connector::Connect(loop_, {"127.0.0.1", port_}, 5s,
                                         [this](Result<std::unique_ptr<net::Connection>> done) {
                                           if (!done) return Fail(done.error().message());
                                           collector_ = *std::move(done);
                                           Start();
                                         });
  }

 private:
  static void Fail(const std::string& why) {
    std::fprintf(stderr, "ack_clock: %s\n", why.c_str());
    std::exit(1);
  }

  /// What has come is passed on before it is looked at.
  void Start() {
    agent_->on_data = [this](std::string_view bytes) {
      collector_->Write(std::string(bytes));
      const std::size_t skip = std::min(bytes.size(), preface_left_);
      preface_left_ -= skip;
      Read(from_agent_, bytes.substr(skip), [this](const wire::Frame& frame) {
        if (frame.type == wire::FrameType::kBatch) clock_.OnBatch(frame.payload);
      });
    };
    collector_->on_data = [this](std::string_view bytes) {
      const std::int64_t now_ns = NowNs();
      agent_->Write(std::string(bytes));
      Read(from_collector_, bytes, [this, now_ns](const wire::Frame& frame) {
        if (frame.type != wire::FrameType::kAck) return;
        if (auto ack = wire::DecodeAck(frame.payload)) clock_.OnAck(ack->sequence, now_ns);
      });
    };
    agent_->on_close = [this](std::optional<Error>) { collector_->CloseAfterWrites(1s); };
    collector_->on_close = [this](std::optional<Error>) { agent_->CloseAfterWrites(1s); };
    agent_->StartReading();
    collector_->StartReading();
  }

  template <typename Take>
  static void Read(wire::FrameReader& reader, std::string_view bytes, Take take) {
    reader.Feed(bytes);
    for (;;) {
      auto frame = reader.Next();
      if (!frame) Fail(frame.error().message());
      if (!*frame) return;
      take(**frame);
    }
  }

  net::Loop& loop_;
  const std::uint16_t port_;
  AckClock& clock_;
  std::unique_ptr<net::Connector> connector_;
  std::unique_ptr<net::Connection> agent_;
  std::unique_ptr<net::Connection> collector_;
  std::size_t preface_left_ = wire::kPreface.size();
  wire::FrameReader from_agent_;
  wire::FrameReader from_collector_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: ack_clock COLLECTOR_PORT\n", stderr);
    return 2;
  }
  net::Loop loop;
  AckClock clock;
  Relay relay(loop, static_cast<std::uint16_t>(std::strtoul(argv[1], nullptr, 10)), clock);
  auto listener = net::Listener::Listen(
      loop, {"127.0.0.1", 0},
      [&](std::unique_ptr<net::Connection> agent) { relay.Accept(std::move(agent)); });
  if (!listener) {
    std::fprintf(stderr, "ack_clock: %s\n", listener.error().message().c_str());
    return 1;
  }
  std::puts((*listener)->local_address().ToString().c_str());
  std::fflush(stdout);
  net::SignalWatcher end(loop, SIGTERM, [&](int) { loop.Stop(); });
  loop.Run();
  clock.Print();
  // Half-finished connections need no orderly end.
  std::_Exit(0);
}
