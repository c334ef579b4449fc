#include "collector/ingest/agent_session.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "protocol/base/agent_scope.h"
#include "protocol/base/secret.h"
#include "protocol/base/text.h"
#include "protocol/wire/batch.h"

namespace dunlin::ingest {
namespace {

using collector::RefuseReason;

/// Far above what an agent exports; a snapshot is held per agent.
constexpr std::size_t kMaxMetricsBytes = 256_KiB;

template <typename Message>
action::Send SendMessage(wire::FrameType type, const Message& message) {
  action::Send send;
  wire::AppendFrame(send.bytes, type, wire::Encode(message));
  return send;
}

}  // namespace

AgentSession::AgentSession(SessionOptions options, SteadyTime now)
    : options_(std::move(options)), opened_(now), heard_(now) {}

Actions AgentSession::OnBytes(std::string_view bytes, SteadyTime now) {
  Actions actions;
  if (state_ == State::kClosed) return actions;
  heard_ = now;
  ping_sent_ = false;
  if (state_ == State::kPreface) {
    std::size_t take = std::min(bytes.size(), wire::kPreface.size() - preface_.size());
    preface_ += bytes.substr(0, take);
    bytes.remove_prefix(take);
    if (!wire::kPreface.starts_with(preface_)) {
      // A peer that does not speak the protocol gets no answer in it.
      state_ = State::kClosed;
      actions.push_back(action::Refuse{RefuseReason::kNotDunlin, "not a dunlin agent"});
      actions.push_back(action::Close{});
      return actions;
    }
    if (preface_.size() < wire::kPreface.size()) return actions;
    state_ = State::kHello;
  }
  frames_.Feed(bytes);
  while (state_ != State::kClosed) {
    auto frame = frames_.Next();
    if (!frame) {
      TurnAway(RefuseReason::kProtocol, frame.error().message(), /*retry=*/true, actions);
      break;
    }
    if (!*frame) break;
    OnFrame(**frame, actions);
  }
  return actions;
}

void AgentSession::OnFrame(const wire::Frame& frame, Actions& actions) {
  switch (frame.type) {
    case wire::FrameType::kHello:
      return OnHello(frame.payload, actions);
    case wire::FrameType::kBatch:
      return OnBatch(frame.payload, actions);
    case wire::FrameType::kMetrics:
      return OnMetrics(frame.payload, actions);
    case wire::FrameType::kPing: {
      auto ping = wire::DecodePing(frame.payload);
      if (!ping) {
        return TurnAway(RefuseReason::kProtocol, ping.error().message(), /*retry=*/true, actions);
      }
      actions.push_back(SendMessage(wire::FrameType::kPong, wire::Pong{ping->nonce}));
      return;
    }
    case wire::FrameType::kPong:
      return;  // any byte proves the agent is there
    case wire::FrameType::kGoodbye:
      state_ = State::kClosed;
      actions.push_back(action::Close{});
      return;
    case wire::FrameType::kWelcome:
    case wire::FrameType::kAck:
    case wire::FrameType::kReject:
    case wire::FrameType::kSlowDown:
      return TurnAway(RefuseReason::kProtocol, "a frame that only a collector sends",
                      /*retry=*/true, actions);
  }
}

void AgentSession::OnHello(std::string_view payload, Actions& actions) {
  if (state_ != State::kHello) {
    return TurnAway(RefuseReason::kProtocol, "a second hello", /*retry=*/true, actions);
  }
  auto hello = wire::DecodeHello(payload);
  if (!hello) {
    return TurnAway(RefuseReason::kProtocol, hello.error().message(), /*retry=*/false, actions);
  }
  // Versions first: what another version means by the rest is not known.
  if (hello->min_protocol_version > wire::kProtocolVersion ||
      hello->protocol_version < wire::kProtocolVersion) {
    return TurnAway(
        RefuseReason::kVersion,
        Join("the agent speaks protocol versions ", hello->min_protocol_version, " to ",
             hello->protocol_version, ", this collector speaks ", wire::kProtocolVersion),
        /*retry=*/false, actions);
  }
  if (!options_.token.empty() && !EqualInConstantTime(hello->token, options_.token)) {
    std::string why = hello->token.empty() ? "this collector asks for a token (--token-file)"
                                           : "the token is not this collector's";
    return TurnAway(RefuseReason::kToken, std::move(why), /*retry=*/false, actions);
  }
  auto identity = IdentityOf(*hello, options_.identity);
  if (!identity) {
    return TurnAway(RefuseReason::kIdentity, identity.error().message(), /*retry=*/false, actions);
  }
  if (certificate_ && !SpeaksFor(*certificate_, hello->project, hello->service, hello->container)) {
    return TurnAway(
        RefuseReason::kCertificate,
        Join("the agent's certificate (", certificate_->common_name, ") does not speak for ",
             hello->project, '/', hello->service, '/', hello->container),
        /*retry=*/false, actions);
  }
  first_held_ = identity->first_sequence;
  state_ = State::kAdmitting;
  actions.push_back(action::Admit{std::move(*identity)});
}

Actions AgentSession::OnAdmitted(std::uint64_t next_sequence) {
  Actions actions;
  if (state_ != State::kAdmitting) return actions;
  state_ = State::kStreaming;
  frames_.SetLimit(wire::kMaxFramePayloadBytes);
  // What the agent no longer holds will not come and is not waited for.
  expected_ = std::max(next_sequence, first_held_);
  durable_ = acknowledged_ = expected_ - 1;
  wire::Welcome welcome;
  welcome.collector_version = DUNLIN_VERSION;
  welcome.collector_id = options_.collector_id;
  welcome.next_sequence = next_sequence;
  welcome.max_frame_bytes = wire::kMaxFramePayloadBytes;
  welcome.max_unacknowledged_batches = options_.max_unacknowledged_batches;
  actions.push_back(SendMessage(wire::FrameType::kWelcome, welcome));
  return actions;
}

void AgentSession::OnBatch(std::string_view payload, Actions& actions) {
  if (state_ != State::kStreaming) {
    return TurnAway(RefuseReason::kProtocol, "a batch before the welcome", /*retry=*/true, actions);
  }
  ReceivedBatch batch;
  auto view = wire::DecodeBatch(payload);
  if (view) {
    batch.first_sequence = view->header.first();
    batch.sequence = view->header.sequence;
    batch.entries = view->entries;
    batch.raw_bytes = view->raw_bytes;
    batch.memory_bytes = payload.size() + view->content_bytes;
  } else {
    // The frame's checksum held, so these are the bytes that were sent, and sending them again
    // would not help: this is the expected batch, to be rejected.
    batch.first_sequence = batch.sequence = expected_;
    batch.memory_bytes = payload.size();
    batch.malformed = view.error().message();
  }
  if (batch.sequence < expected_) {
    // Sent again although it is durable, or about to be: repeat the ack if the agent missed it.
    if (batch.sequence <= durable_) {
      actions.push_back(SendMessage(wire::FrameType::kAck, wire::Ack{durable_}));
    }
    return;
  }
  if (batch.first_sequence > expected_) {
    return SayGoodbye(
        Join("batch ", batch.first_sequence, " came where ", expected_, " was expected"),
        /*retry=*/true, actions);
  }
  if (batch.sequence == std::numeric_limits<std::uint64_t>::max()) {
    return TurnAway(RefuseReason::kProtocol, "a batch that none could follow", /*retry=*/false,
                    actions);
  }
  // The part of a range that is durable already is not waited for again.
  batch.first_sequence = expected_;
  if (batch.first_sequence != batch.sequence) ranges_[batch.sequence] = batch.first_sequence;
  batch.payload = payload;
  expected_ = batch.sequence + 1;
  actions.push_back(action::StoreBatch{std::move(batch)});
}

void AgentSession::OnMetrics(std::string_view payload, Actions& actions) {
  if (state_ != State::kStreaming) {
    return TurnAway(RefuseReason::kProtocol, "metrics before the welcome", /*retry=*/true, actions);
  }
  if (payload.size() > kMaxMetricsBytes) return;  // optional; not worth a connection
  auto metrics = wire::DecodeMetrics(payload);
  if (!metrics) {
    return TurnAway(RefuseReason::kProtocol, metrics.error().message(), /*retry=*/true, actions);
  }
  actions.push_back(action::KeepMetrics{std::move(*metrics)});
}

Actions AgentSession::OnResults(const std::vector<BatchResult>& results) {
  Actions actions;
  if (state_ != State::kStreaming) return actions;
  const BatchResult* refused = nullptr;
  for (const BatchResult& result : results) {
    switch (result.fate) {
      case BatchResult::Fate::kDurable:
        finished_.emplace(result.sequence, std::string());
        break;
      case BatchResult::Fate::kRejected:
        finished_.emplace(result.sequence, result.reason.empty() ? "rejected" : result.reason);
        break;
      case BatchResult::Fate::kRefused:
        // The first one is the cause; those behind it only follow from it.
        if (refused == nullptr) refused = &result;
        break;
    }
  }
  for (; NextIsFinished(); finished_.erase(finished_.begin())) {
    const auto next = finished_.begin();
    ranges_.erase(next->first);
    if (!next->second.empty()) {
      // The agent has to hear of the rejection before an ack that covers it.
      Acknowledge(actions);
      actions.push_back(
          SendMessage(wire::FrameType::kReject, wire::Reject{next->first, next->second}));
      acknowledged_ = next->first;
    }
    durable_ = next->first;
  }
  Acknowledge(actions);
  if (refused != nullptr) {
    if (refused->slow_down) {
      auto delay = static_cast<std::uint32_t>(options_.slow_down.count());
      actions.push_back(
          SendMessage(wire::FrameType::kSlowDown, wire::SlowDown{delay, refused->reason}));
    }
    SayGoodbye(refused->reason, /*retry=*/true, actions);
  }
  return actions;
}

/// Whether the batch after the last durable one is; it may stand for a range.
bool AgentSession::NextIsFinished() const {
  if (finished_.empty()) return false;
  const std::uint64_t sequence = finished_.begin()->first;
  const auto range = ranges_.find(sequence);
  return (range == ranges_.end() ? sequence : range->second) == durable_ + 1;
}

void AgentSession::Acknowledge(Actions& actions) {
  if (durable_ == acknowledged_) return;
  acknowledged_ = durable_;
  actions.push_back(SendMessage(wire::FrameType::kAck, wire::Ack{durable_}));
}

Actions AgentSession::OnTick(SteadyTime now) {
  Actions actions;
  switch (state_) {
    case State::kPreface:
    case State::kHello:
      if (now - opened_ >= options_.hello_timeout) {
        TurnAway(RefuseReason::kNotDunlin, "no hello in time", /*retry=*/true, actions);
      }
      return actions;
    case State::kAdmitting:
    case State::kStreaming:
      if (now - heard_ >= options_.gone_after) {
        SayGoodbye("nothing was heard from the agent", /*retry=*/true, actions);
      } else if (now - heard_ >= options_.ping_after && !ping_sent_) {
        ping_sent_ = true;
        actions.push_back(SendMessage(wire::FrameType::kPing, wire::Ping{durable_}));
      }
      return actions;
    case State::kClosed:
      return actions;
  }
  return actions;
}

Actions AgentSession::OnBackPressure(std::chrono::milliseconds pause, std::string reason,
                                     SteadyTime now) {
  Actions actions;
  if (state_ != State::kStreaming || now < next_slow_down_) return actions;
  // Again before the pause is over, so that it does not end for a moment.
  next_slow_down_ = now + pause / 2;
  auto delay = static_cast<std::uint32_t>(pause.count());
  actions.push_back(
      SendMessage(wire::FrameType::kSlowDown, wire::SlowDown{delay, std::move(reason)}));
  return actions;
}

Actions AgentSession::OnReplaced() {
  Actions actions;
  SayGoodbye("a newer connection of this agent took over", /*retry=*/true, actions);
  return actions;
}

Actions AgentSession::OnStopping() {
  Actions actions;
  SayGoodbye("the collector is stopping", /*retry=*/true, actions);
  return actions;
}

void AgentSession::TurnAway(RefuseReason reason, std::string text, bool retry, Actions& actions) {
  actions.push_back(action::Refuse{reason, text});
  SayGoodbye(std::move(text), retry, actions);
}

void AgentSession::SayGoodbye(std::string reason, bool retry, Actions& actions) {
  if (state_ == State::kClosed) return;
  // Before the preface nobody is known to understand a frame.
  if (state_ != State::kPreface) {
    actions.push_back(
        SendMessage(wire::FrameType::kGoodbye, wire::Goodbye{std::move(reason), retry}));
  }
  state_ = State::kClosed;
  actions.push_back(action::Close{});
}

}  // namespace dunlin::ingest
