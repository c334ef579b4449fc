#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/units.h"
#include "protocol/wire/frame.h"
#include "shipper/queue.h"
#include "shipper/statistics.h"

namespace dunlin::shipper {

struct SessionOptions {
  /// What may be sent and not acknowledged: enough to keep a connection with 100 ms of delay busy.
  std::uint32_t window_batches = 64;
  std::size_t window_bytes = 2_MiB;
  std::chrono::milliseconds welcome_timeout = std::chrono::seconds(10);
  /// Without any progress while batches wait for an answer: neither one of them answered nor bytes
  /// that had to wait going out.
  std::chrono::milliseconds ack_timeout = std::chrono::seconds(30);
  /// Without any answer, however slowly bytes move: the slowest connection that is of use takes
  /// 4 KiB a second of the largest batches.
  std::chrono::milliseconds answer_timeout = std::chrono::minutes(5);
  /// Without a byte of those that wait to be written going out.
  std::chrono::milliseconds write_timeout = std::chrono::seconds(15);
  /// A ping is due after this much silence of the peer; the same again without an answer is its
  /// end.
  std::chrono::milliseconds ping_interval = std::chrono::seconds(15);
  std::chrono::milliseconds metrics_interval = std::chrono::seconds(15);
  /// Bounds what a collector may ask for with SlowDown.
  std::chrono::milliseconds max_pause = std::chrono::seconds(60);
  /// And how long it may go on asking without answering a single batch.
  std::chrono::milliseconds max_pauses = std::chrono::minutes(5);
  /// At this age the session begins to drain; zero: never.
  std::chrono::milliseconds max_age{0};
};

/// One connection to one collector, from the first byte to its end, as decisions only: which batch
/// goes next, what an incoming frame means, when the peer counts as gone. Go-back-N: the welcome
/// says where to start, acknowledgements move the window, everything else is sent again, byte for
/// byte, on the next connection with its own Session. Holds no socket and reads no clock; the
/// driver reports events and performs the returned actions in order. One thread.
class Session {
 public:
  struct SendHello {
    friend bool operator==(const SendHello&, const SendHello&) = default;
  };
  struct SendPing {
    std::uint64_t nonce;
    friend bool operator==(const SendPing&, const SendPing&) = default;
  };
  struct SendPong {
    std::uint64_t nonce;
    friend bool operator==(const SendPong&, const SendPong&) = default;
  };
  struct SendMetrics {
    friend bool operator==(const SendMetrics&, const SendMetrics&) = default;
  };
  /// Close the connection. Always the last action; the session takes no more events.
  struct Close {
    enum class Kind {
      kProtocol,
      kTimeout,
      kGoodbye,
      kRefused,
      kDrained,  // in good order: nothing that was sent lacks its answer
    };
    Kind kind;
    std::string reason;
    friend bool operator==(const Close&, const Close&) = default;
  };
  /// The collector took something of note; for the log.
  struct Report {
    std::string event;
    std::string detail;
    friend bool operator==(const Report&, const Report&) = default;
  };
  using Action = std::variant<SendHello, SendPing, SendPong, SendMetrics, Close, Report>;
  using Actions = std::vector<Action>;

  /// Both given outlive the session.
  Session(Queue& queue, SessionOptions options, SessionStatistics& statistics)
      : queue_(queue), options_(options), statistics_(statistics) {}

  Actions OnConnected(SteadyTime now);
  Actions OnFrame(const wire::Frame& frame, SteadyTime now);
  Actions OnTick(SteadyTime now);
  /// How many bytes of this connection wait for the kernel to take them. Before and after every
  /// write, and before every tick.
  void NoteWrites(std::size_t waiting_bytes, SteadyTime now);
  /// From now on no batch is sent; the session closes once those on their way are answered.
  Actions Drain();
  /// It does not begin to drain for its age.
  void StopAging() { age_deadline_.reset(); }

  /// When OnTick is due.
  SteadyTime deadline() const;

  /// The next batch frame to write; nothing when the window is full, the collector asked for a
  /// pause, or there is nothing. The view is valid until the next event.
  std::optional<std::string_view> NextBatch(SteadyTime now);

  /// Whether the collector has welcomed this agent, and the connection is not given up yet.
  bool streaming() const { return state_ == State::kStreaming || state_ == State::kDraining; }
  /// The largest frame that the collector takes, by its welcome.
  std::size_t max_frame_bytes() const { return max_frame_bytes_; }
  /// Whether it ever got that far.
  bool welcomed() const { return welcomed_; }
  bool draining() const { return state_ == State::kDraining; }
  /// Whether any batch was answered on this connection.
  bool answered() const { return answered_; }
  /// Until when the collector has asked for no batch, if that was its last word on it.
  std::optional<SteadyTime> paused_until() const { return paused_until_; }
  /// Whether the collector asked for a pause, over or not, and has answered no batch since.
  bool held_back() const { return pauses_since_.has_value(); }
  /// When batches last became durable, or the welcome came.
  SteadyTime last_progress() const { return last_progress_; }
  /// How many batches were sent on this connection and have no answer.
  std::uint64_t unanswered() const;

 private:
  enum class State { kConnecting, kAwaitingWelcome, kStreaming, kDraining, kClosed };

  Actions OnWelcome(std::string_view payload, SteadyTime now);
  Actions OnAck(std::string_view payload, SteadyTime now);
  Actions OnReject(std::string_view payload, SteadyTime now);
  Actions OnSlowDown(std::string_view payload, SteadyTime now);
  Actions OnGoodbye(std::string_view payload);
  Actions CloseWith(Close::Kind kind, std::string reason);
  Actions CloseIfDrained();
  void NoteAnswer(SteadyTime now);
  std::optional<std::string> Overdue(SteadyTime now) const;
  SteadyTime ack_deadline() const;
  struct Sent {
    std::uint64_t sequence;
    SteadyTime time;
  };

  void CountAcknowledged(std::uint64_t sequence, SteadyTime now);
  void ForgetAnswered();
  bool awaiting_ack() const {
    return !sent_.empty() && sent_.back().sequence >= queue_.first_sequence();
  }

  Queue& queue_;
  SessionOptions options_;
  SessionStatistics& statistics_;
  State state_ = State::kConnecting;
  bool welcomed_ = false;
  bool answered_ = false;
  std::uint64_t cursor_ = 1;  // where the next batch to send on this connection begins
  std::uint32_t window_batches_ = 0;
  std::size_t max_frame_bytes_ = wire::kFrameHeaderBytes + wire::kMaxFramePayloadBytes;
  std::deque<Sent> sent_;  // on this connection and, as far as was looked, without answer
  SteadyTime opened_{};
  SteadyTime last_heard_{};
  SteadyTime last_progress_{};
  SteadyTime answer_wait_{};  // since when an answer is waited for; pauses do not count
  SteadyTime write_wait_{};   // since when no byte of those waiting has gone out
  SteadyTime write_moved_{};  // when bytes that had to wait last went out
  std::size_t waiting_bytes_ = 0;
  SteadyTime next_metrics_{};
  std::optional<SteadyTime> age_deadline_;
  std::optional<SteadyTime> paused_until_;
  std::optional<SteadyTime> pauses_since_;  // of a row of pauses without an answer between them
  std::uint64_t next_nonce_ = 1;
  std::optional<SteadyTime> pinged_;
};

}  // namespace dunlin::shipper
