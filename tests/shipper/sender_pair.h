#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "shipper/sender.h"
#include "tests/shipper/scripted_collector.h"
#include "tests/shipper/sealed_batch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::shipper {

/// What a test that waits for a time-out sets, and no other: a busy machine takes its time.
inline constexpr std::chrono::milliseconds kShort{100};

/// A sender and a collector on one loop. Options may be changed until Make().
struct Pair {
  Pair() {
    options.hello.service = "tested";
    options.retry = {std::chrono::milliseconds(5), std::chrono::milliseconds(20)};
    options.connect_timeout = std::chrono::seconds(30);
    options.session.ack_timeout = std::chrono::seconds(30);
    options.session.welcome_timeout = std::chrono::seconds(30);
    options.session.write_timeout = std::chrono::seconds(30);
    Make({collector.address()});
  }

  /// A new queue and sender for these collectors.
  void Make(std::vector<net::HostPort> collectors) {
    options.collectors = std::move(collectors);
    Make();
  }
  void Make(const Clock& clock = SystemClock()) {
    sender.reset();
    queue = std::make_unique<Queue>(QueueOptions{.limit_bytes = queue_limit});
    sender = std::make_unique<Sender>(loop, clock, *queue, options);
  }
  void Start() { sender->Start("10.1.2.3:18888"); }

  void Push(int batches, std::uint64_t lines = 3) {
    for (int i = 0; i < batches; ++i) PushBatch(*queue, lines);
    sender->OnQueued();
  }
  void Run(const std::function<bool()>& done) {
    testing::RunUntil(loop, done, std::chrono::seconds(60));
  }
  void RunToEmpty() {
    Run([&] { return queue->batches() == 0; });
  }
  std::uint64_t Errors(SendErrorKind kind) const {
    return sender->statistics().errors[static_cast<std::size_t>(kind)];
  }
  std::uint64_t AllErrors() const {
    std::uint64_t all = 0;
    for (SendErrorKind kind : kSendErrorKinds) all += Errors(kind);
    return all;
  }

  SenderOptions options;
  std::size_t queue_limit = 4_MiB;
  net::Loop loop;
  std::unique_ptr<Queue> queue;
  testing::ScriptedCollector collector{loop};
  std::unique_ptr<Sender> sender;
};

}  // namespace dunlin::shipper
