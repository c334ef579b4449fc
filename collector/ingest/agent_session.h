#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "collector/ingest/agent_identity.h"
#include "collector/metrics/collector_metrics.h"
#include "protocol/base/clock.h"
#include "protocol/base/peer_identity.h"
#include "protocol/base/random.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/messages.h"

namespace dunlin::ingest {

struct SessionOptions {
  RandomId collector_id{};
  std::string token;  // what an agent has to show; empty: nothing
  IdentityLimits identity;
  std::uint32_t max_unacknowledged_batches = 64;
  /// An agent that does not introduce itself in time is not one.
  std::chrono::seconds hello_timeout{10};
  /// After this much silence the agent is asked whether it is there; after the second it is gone.
  std::chrono::seconds ping_after{30};
  std::chrono::seconds gone_after{90};
  /// What an agent is asked to wait when nothing can be stored.
  std::chrono::milliseconds slow_down{1000};
};

/// A batch as it arrived, numbered and still compressed.
struct ReceivedBatch {
  std::uint64_t first_sequence = 0;  // stands for all from here
  std::uint64_t sequence = 0;        // to here
  std::uint64_t entries = 0;         // as its header says; 0 when that cannot be read
  std::uint64_t raw_bytes = 0;
  std::uint64_t memory_bytes = 0;  // what it takes until it is durable
  std::string payload;
  std::string malformed;  // why its header cannot be read, else empty
  friend bool operator==(const ReceivedBatch&, const ReceivedBatch&) = default;
};

/// What became of a batch.
struct BatchResult {
  enum class Fate {
    kDurable,
    kRejected,  // for good; its sequence is durable without entries
    kRefused,   // not stored, the agent has to send it again
  };
  std::uint64_t sequence = 0;
  Fate fate = Fate::kDurable;
  std::string reason;      // of the last two
  bool slow_down = false;  // refused because there is no room now
};

namespace action {

/// Write these bytes.
struct Send {
  std::string bytes;
  friend bool operator==(const Send&, const Send&) = default;
};
/// The agent has introduced itself: end an older connection of the same boot, look up its next
/// sequence and call OnAdmitted().
struct Admit {
  AgentIdentity identity;
  friend bool operator==(const Admit&, const Admit&) = default;
};
/// Decode and store; exactly one BatchResult follows for each, in any order.
struct StoreBatch {
  ReceivedBatch batch;
  friend bool operator==(const StoreBatch&, const StoreBatch&) = default;
};
/// The agent's metrics as they are now.
struct KeepMetrics {
  wire::Metrics metrics;
  friend bool operator==(const KeepMetrics&, const KeepMetrics&) = default;
};
/// Count and log why the agent is turned away.
struct Refuse {
  collector::RefuseReason reason;
  std::string text;
  friend bool operator==(const Refuse&, const Refuse&) = default;
};
/// Close once everything is written. Nothing follows.
struct Close {
  friend bool operator==(const Close&, const Close&) = default;
};

}  // namespace action

using Action = std::variant<action::Send, action::Admit, action::StoreBatch, action::KeepMetrics,
                            action::Refuse, action::Close>;
using Actions = std::vector<Action>;

/// The collector's side of one agent connection (docs/wire-format.md, "Conversation"): decides what
/// to answer, holds no socket and no clock. The driver reports events and performs the returned
/// actions in order. Loop thread only.
///
/// Batches are accepted in unbroken sequence; one may stand for a range of sequences. An ack names
/// the highest sequence up to which all are durable, one ack for all results that arrive together.
/// A batch that can never be stored is rejected, one that cannot be stored now ends the connection:
/// the agent comes back and resumes at the Welcome's next_sequence, so there is one way to go back
/// and it is always exercised.
class AgentSession {
 public:
  AgentSession(SessionOptions options, SteadyTime now);

  /// The agent has shown this certificate, which is good and for agents: it may only be one of
  /// those that the certificate speaks for. Before the first bytes.
  void OnCertificate(PeerIdentity certificate) { certificate_ = std::move(certificate); }
  Actions OnBytes(std::string_view bytes, SteadyTime now);
  /// Answers Admit. `next_sequence` is the first one not durable.
  Actions OnAdmitted(std::uint64_t next_sequence);
  Actions OnResults(const std::vector<BatchResult>& results);
  /// Call every few seconds.
  Actions OnTick(SteadyTime now);
  /// Asks the agent to send nothing for `pause`, unless it was just asked: nothing can be stored,
  /// or it is not read for a while.
  Actions OnBackPressure(std::chrono::milliseconds pause, std::string reason, SteadyTime now);
  /// The agent is not read at the moment, so its silence says nothing.
  void OnUnread(SteadyTime now) { opened_ = heard_ = now; }
  /// A newer connection of the same boot took over.
  Actions OnReplaced();
  /// The collector stops.
  Actions OnStopping();

  bool closed() const { return state_ == State::kClosed; }
  /// Held of a frame that has not come whole.
  std::size_t buffered_bytes() const { return frames_.buffered_bytes(); }
  /// How large that frame is; 0 until it says so.
  std::size_t awaited_frame_bytes() const { return frames_.awaited_frame_bytes(); }

 private:
  enum class State { kPreface, kHello, kAdmitting, kStreaming, kClosed };

  void OnFrame(const wire::Frame& frame, Actions& actions);
  void OnHello(std::string_view payload, Actions& actions);
  void OnBatch(std::string_view payload, Actions& actions);
  void OnMetrics(std::string_view payload, Actions& actions);
  bool NextIsFinished() const;
  void Acknowledge(Actions& actions);
  void TurnAway(collector::RefuseReason reason, std::string text, bool retry, Actions& actions);
  void SayGoodbye(std::string reason, bool retry, Actions& actions);

  SessionOptions options_;
  std::optional<PeerIdentity> certificate_;
  State state_ = State::kPreface;
  std::string preface_;                             // what has come of it
  wire::FrameReader frames_{wire::kMaxHelloBytes};  // more once it is known
  SteadyTime opened_;                               // or not read, the last time
  SteadyTime heard_;
  bool ping_sent_ = false;
  SteadyTime next_slow_down_{};
  std::uint64_t first_held_ = 1;  // by the agent
  std::uint64_t expected_ = 0;    // next sequence to accept
  std::uint64_t durable_ = 0;     // all up to here are
  std::uint64_t acknowledged_ = 0;
  std::map<std::uint64_t, std::string> finished_;  // beyond durable_; with the reason if rejected
  std::map<std::uint64_t, std::uint64_t> ranges_;  // last to first of those that are not one batch
};

}  // namespace dunlin::ingest
