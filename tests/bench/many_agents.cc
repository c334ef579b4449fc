// Thousands of agents in one process, as far as a collector can tell: each has a connection, an
// identity and batches of its own. They do as they are told on standard input, and answer with a
// line when it is done:
//
//   many_agents COLLECTOR_PORT AGENTS
//
//   connect         all connect and are welcomed                   -> connected SECONDS
//   hold BYTES      each sends so much of a batch and no more      -> held
//   send BATCHES    each sends the rest, and so many more batches  -> acknowledged SECONDS
//   SLOW_DOWNS
//
// What is asked of agents in a SlowDown is counted and not done: that is the worst case.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/text.h"
#include "protocol/net/connection.h"
#include "protocol/net/descriptor.h"
#include "protocol/net/loop.h"
#include "protocol/wire/batch.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/messages.h"
#include "tests/support/batch_frame.h"

namespace {

using namespace std::chrono_literals;
using namespace dunlin;

/// What a batch of a quiet service has, and as incompressible as logs never are.
constexpr std::size_t kLines = 80;
constexpr std::size_t kLineBytes = 150;
/// The kernel holds this many connections for a listener that is busy.
constexpr std::size_t kConnectingAtOnce = 200;
constexpr std::uint64_t kWindow = 4;

std::string NewBatch(std::uint64_t sequence) {
  static std::mt19937_64 random(7);
  wire::Columns columns;
  for (std::size_t i = 0; i < kLines; ++i) {
    for (std::size_t b = 0; b < kLineBytes; ++b) {
      columns.lines += static_cast<char>('!' + random() % 90);
    }
    columns.lines += '\n';
    columns.line_lengths.push_back(kLineBytes);
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  columns.runs.push_back({wire::Output::kStdout, kLines,
                          std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()});
  wire::BatchHeader header;
  header.sequence = sequence;
  return testing::BatchFrame(header, columns);
}

/// The batches of all: they differ in who sends them.
class Batches {
 public:
  const std::string& operator[](std::uint64_t sequence) {
    while (frames_.size() < sequence) frames_.push_back(NewBatch(frames_.size() + 1));
    return frames_[sequence - 1];
  }

 private:
  std::vector<std::string> frames_;
};

class Agent {
 public:
  struct Shared {
    Batches batches;
    std::uint64_t slow_downs = 0;
    std::function<void()> on_step;  // an agent came further
  };

  Agent(net::Loop& loop, std::uint16_t port, std::uint32_t number, Shared& shared)
      : shared_(shared),
        number_(number),
        connector_(
            net::Connector::Connect(loop, {"127.0.0.1", port}, 120s,
                                    [this](Result<std::unique_ptr<net::Connection>> connection) {
                                      if (!connection) Fail(connection.error().message());
                                      Begin(*std::move(connection));
                                    })) {}

  bool welcomed() const { return welcomed_; }
  bool done() const { return acknowledged_ == wanted_; }

  void Hold(std::size_t bytes) {
    held_ = std::min(bytes, shared_.batches[sent_ + 1].size());
    connection_->Write(shared_.batches[sent_ + 1].substr(0, held_));
  }

  void Want(std::uint64_t batches) {
    wanted_ += batches + (held_ > 0 ? 1 : 0);
    Pump();
  }

 private:
  [[noreturn]] static void Fail(std::string_view why) {
    std::fprintf(stderr, "many_agents: %.*s\n", static_cast<int>(why.size()), why.data());
    std::exit(1);
  }

  void Begin(std::unique_ptr<net::Connection> connection) {
    connection_ = std::move(connection);
    connection_->on_data = [this](std::string_view bytes) { OnBytes(bytes); };
    connection_->on_drained = [this] { Pump(); };
    connection_->on_close = [](const std::optional<Error>&) { Fail("a connection was closed"); };
    connection_->StartReading();
    wire::Hello hello;
    hello.agent_version = "0.1.0";
    for (unsigned i = 0; i < 4; ++i) {
      hello.agent_id[i] = hello.boot_id[i] = static_cast<std::uint8_t>(number_ >> (8 * i));
    }
    hello.agent_id[15] = hello.boot_id[15] = 1;
    hello.project = "bench";
    hello.service = Join("many-", number_ % 50);
    hello.deployment = "none";
    hello.container = Join("container-", number_);
    hello.host = "host";
    std::string out(wire::kPreface);
    wire::AppendFrame(out, wire::FrameType::kHello, wire::Encode(hello));
    connection_->Write(std::move(out));
  }

  void OnBytes(std::string_view bytes) {
    frames_.Feed(bytes);
    for (;;) {
      auto frame = frames_.Next();
      if (!frame) Fail(frame.error().message());
      if (!*frame) return;
      OnFrame(**frame);
    }
  }

  void OnFrame(const wire::Frame& frame) {
    switch (frame.type) {
      case wire::FrameType::kWelcome:
        welcomed_ = true;
        return shared_.on_step();
      case wire::FrameType::kAck:
        acknowledged_ = wire::DecodeAck(frame.payload)->sequence;
        Pump();
        return shared_.on_step();
      case wire::FrameType::kSlowDown:
        ++shared_.slow_downs;
        return;
      case wire::FrameType::kPing: {
        std::string out;
        wire::AppendFrame(out, wire::FrameType::kPong,
                          wire::Encode(wire::Pong{wire::DecodePing(frame.payload)->nonce}));
        // Not into the middle of a batch.
        if (held_ == 0) connection_->Write(std::move(out));
        return;
      }
      case wire::FrameType::kGoodbye:
        Fail(Join("goodbye: ", wire::DecodeGoodbye(frame.payload)->reason));
      default:
        Fail("a frame of an agent");
    }
  }

  void Pump() {
    while (sent_ < wanted_ && sent_ - acknowledged_ < kWindow &&
           connection_->pending_write_bytes() == 0) {
      connection_->Write(shared_.batches[sent_ + 1].substr(std::exchange(held_, 0)));
      ++sent_;
    }
  }

  Shared& shared_;
  std::uint32_t number_;
  std::unique_ptr<net::Connector> connector_;
  std::unique_ptr<net::Connection> connection_;
  wire::FrameReader frames_;
  bool welcomed_ = false;
  std::size_t held_ = 0;  // bytes sent of the next batch
  std::uint64_t wanted_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t acknowledged_ = 0;
};

class Crowd {
 public:
  Crowd(std::uint16_t port, std::size_t agents)
      : port_(port), size_(agents), commands_(loop_, STDIN_FILENO, [this] { ReadCommands(); }) {
    shared_.on_step = [this] { OnStep(); };
    agents_.reserve(agents);
    commands_.Start();
  }

  void Run() { loop_.Run(); }

 private:
  void ReadCommands() {
    std::array<char, 256> buffer;
    const ssize_t size = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (size <= 0) return loop_.Stop();
    std::istringstream words(std::string(buffer.data(), static_cast<std::size_t>(size)));
    std::string command;
    std::size_t number = 0;
    words >> command >> number;
    began_ = std::chrono::steady_clock::now();
    if (command == "connect") {
      ConnectSome();
    } else if (command == "hold") {
      for (auto& agent : agents_) agent->Hold(number);
      Answer("held");
    } else if (command == "send") {
      sending_ = true;
      for (auto& agent : agents_) agent->Want(number);
    }
  }

  void ConnectSome() {
    while (agents_.size() < size_ && agents_.size() - settled_ < kConnectingAtOnce) {
      agents_.push_back(std::make_unique<Agent>(
          loop_, port_, static_cast<std::uint32_t>(agents_.size()), shared_));
    }
  }

  /// Whether all are where they are wanted; those before `settled_` are.
  bool Settled(bool (Agent::*state)() const) {
    while (settled_ < agents_.size() && (*agents_[settled_].*state)()) ++settled_;
    return settled_ == size_;
  }

  void OnStep() {
    if (settled_ == size_) settled_ = 0;
    if (!sending_) {
      const bool all = Settled(&Agent::welcomed);
      ConnectSome();
      if (all) Answer(Join("connected ", Seconds()));
    } else if (Settled(&Agent::done)) {
      sending_ = false;
      Answer(Join("acknowledged ", Seconds(), " ", std::exchange(shared_.slow_downs, 0)));
    }
  }

  std::string Seconds() const {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began_;
    return std::to_string(took.count());
  }

  static void Answer(const std::string& line) {
    std::puts(line.c_str());
    std::fflush(stdout);
  }

  net::Loop loop_;
  std::uint16_t port_;
  std::size_t size_;
  Agent::Shared shared_;
  std::vector<std::unique_ptr<Agent>> agents_;
  std::size_t settled_ = 0;
  bool sending_ = false;
  std::chrono::steady_clock::time_point began_;
  net::DescriptorWatcher commands_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: many_agents COLLECTOR_PORT AGENTS\n");
    return 2;
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  Crowd(static_cast<std::uint16_t>(std::atoi(argv[1])), std::strtoull(argv[2], nullptr, 10)).Run();
  return 0;
}
