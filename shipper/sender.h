#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/net/address.h"
#include "protocol/net/connection.h"
#include "protocol/net/loop.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/messages.h"
#include "shipper/better_collector.h"
#include "shipper/queue.h"
#include "shipper/retry_policy.h"
#include "shipper/session.h"
#include "shipper/statistics.h"

namespace dunlin::shipper {

struct SenderOptions {
  std::vector<net::HostPort> collectors;  // at least one; tried in order
  wire::Hello hello;                      // first_sequence and metrics_address are filled in
  SessionOptions session;
  RetryOptions retry;
  /// Outlives the sender; null: plain TCP.
  net::TlsContext* tls = nullptr;
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(5);
  /// A connection takes no new batch after three quarters of this time to all of it, and is
  /// replaced once those on their way are acknowledged: names are resolved again, and a collector's
  /// load finds its balance. Zero: never.
  std::chrono::milliseconds max_connection_age = std::chrono::minutes(10);
  /// While another than the first collector is in use, those before it are tried this often.
  std::chrono::milliseconds return_interval = std::chrono::minutes(1);
  std::uint64_t jitter_seed = 0;
};

/// Keeps a connection to one of the collectors and moves batches from the queue over it: the driver
/// of Session and RetryPolicy. Loop thread only.
class Sender {
 public:
  /// Everything given outlives the sender.
  Sender(net::Loop& loop, const Clock& clock, Queue& queue, SenderOptions options);
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  /// What a metrics snapshot holds; empty: none is sent.
  std::function<std::vector<wire::MetricFamily>()> metrics;
  /// After batches were acknowledged or rejected. Must not destroy the sender.
  std::function<void()> on_progress;

  /// `metrics_address`: where this agent's own metrics answer; empty when they do not.
  void Start(std::string metrics_address);
  /// A collector has said where to start, and the queue knows it.
  std::function<void()> on_welcomed;

  /// The queue has something new.
  void OnQueued();
  /// There is little time left: ends the wait before the next attempt, and from now on keeps a
  /// connection that works.
  void Hurry();
  /// Sends the last metrics, drops the connection and tries no other.
  void Stop();

  bool connected() const;
  /// Of the collector in use; empty when not connected.
  std::string peer() const;
  /// What is left of the pause that the collector in use, or tried next, has asked for; zero when
  /// it is over and no batch was answered since. Nothing: it takes batches.
  std::optional<std::chrono::nanoseconds> pause() const;
  /// The largest frame that the collector of the last welcome takes.
  std::size_t max_frame_bytes() const { return max_frame_bytes_; }
  /// When batches last became durable on this connection, or it was welcomed.
  std::optional<SteadyTime> last_progress() const;
  const SenderStatistics& statistics() const { return statistics_; }

 private:
  struct Link;
  struct Answers {
    std::uint64_t acknowledged;
    std::uint64_t rejected;
  };

  void Connect(RetryPolicy::Attempt attempt);
  void OnConnectDone(Result<std::unique_ptr<net::Connection>> connection);
  void OnData(std::string_view bytes);
  void OnTick();
  void OnWelcomed();
  void OnBetterCollector(std::size_t collector);
  void SearchBetter();
  void CountAnswers(const Answers& before);
  wire::Hello CurrentHello() const;
  void Perform(const Session::Actions& actions);
  void Pump();
  void ArmTick();
  void NoteWrites();
  void Write(std::string bytes);
  void WriteControl(std::string bytes);
  void WriteMetrics();
  void OnDrained();
  void CloseLink();
  void EndLink(SendErrorKind kind, const std::string& reason);
  void CountError(std::size_t collector, SendErrorKind kind, const std::string& reason);
  void Fail(SendErrorKind kind, const std::string& reason, RetryPolicy::Attempt next);

  net::Loop& loop_;
  const Clock& clock_;
  Queue& queue_;
  SenderOptions options_;
  RetryPolicy retry_;
  SenderStatistics statistics_;
  std::size_t max_frame_bytes_ = wire::kFrameHeaderBytes + wire::kMaxFramePayloadBytes;
  std::size_t collector_ = 0;  // of the attempt or connection
  std::size_t next_ = 0;       // of the connection after one that drains
  net::Timer retry_timer_;
  net::Timer tick_timer_;
  std::unique_ptr<net::Connector> connector_;
  std::unique_ptr<Link> link_;
  BetterCollector better_;
  std::vector<SteadyTime> not_before_;        // by collector: when it wants to be asked again
  std::vector<std::string> reported_errors_;  // by collector: since it last worked
  SteadyTime tick_due_{};
  bool was_late_ = false;
  bool hurried_ = false;
  bool held_back_ = false;  // the last connection ended in a pause, and no batch was answered since
  bool stopped_ = false;
};

}  // namespace dunlin::shipper
