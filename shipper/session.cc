#include "shipper/session.h"

#include <algorithm>
#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/wire/messages.h"

namespace dunlin::shipper {
namespace {

/// Room for the markers of every reason and output. A collector that takes less is of no use.
constexpr std::uint32_t kLeastFramePayloadBytes = 4_KiB;

/// A reason from the network, cut to what belongs into a log line.
std::string Shortened(std::string text) {
  constexpr std::size_t kMaxReasonBytes = 200;
  if (text.size() > kMaxReasonBytes) text.resize(kMaxReasonBytes);
  return text;
}

}  // namespace

Session::Actions Session::OnConnected(SteadyTime now) {
  Check(state_ == State::kConnecting, "connected twice");
  state_ = State::kAwaitingWelcome;
  opened_ = last_heard_ = last_progress_ = answer_wait_ = now;
  return {SendHello{}};
}

Session::Actions Session::OnFrame(const wire::Frame& frame, SteadyTime now) {
  if (state_ == State::kClosed) return {};  // what was on its way when we gave up
  last_heard_ = now;
  pinged_.reset();
  if (state_ == State::kAwaitingWelcome && frame.type != wire::FrameType::kWelcome &&
      frame.type != wire::FrameType::kGoodbye) {
    return CloseWith(Close::Kind::kProtocol, "the collector spoke before its welcome");
  }
  switch (frame.type) {
    case wire::FrameType::kWelcome:
      return OnWelcome(frame.payload, now);
    case wire::FrameType::kAck:
      return OnAck(frame.payload, now);
    case wire::FrameType::kReject:
      return OnReject(frame.payload, now);
    case wire::FrameType::kSlowDown:
      return OnSlowDown(frame.payload, now);
    case wire::FrameType::kGoodbye:
      return OnGoodbye(frame.payload);
    case wire::FrameType::kPing: {
      auto ping = wire::DecodePing(frame.payload);
      if (!ping) return CloseWith(Close::Kind::kProtocol, ping.error().message());
      return {SendPong{ping->nonce}};
    }
    case wire::FrameType::kPong:
      return {};  // having been heard was the point
    case wire::FrameType::kHello:
    case wire::FrameType::kBatch:
    case wire::FrameType::kMetrics:
      break;
  }
  return CloseWith(Close::Kind::kProtocol, "the collector sent a frame that only agents send");
}

Session::Actions Session::OnTick(SteadyTime now) {
  switch (state_) {
    case State::kConnecting:
    case State::kClosed:
      return {};  // no connection, nothing to time
    case State::kAwaitingWelcome:
      if (now - opened_ < options_.welcome_timeout) return {};
      return CloseWith(Close::Kind::kTimeout, "no welcome from the collector");
    case State::kStreaming:
    case State::kDraining:
      break;
  }
  // The driver goes on sending after each tick.
  if (paused_until_ && now >= *paused_until_) paused_until_.reset();
  if (auto what = Overdue(now)) return CloseWith(Close::Kind::kTimeout, std::move(*what));
  if (age_deadline_ && now >= *age_deadline_) {
    age_deadline_.reset();
    if (Actions closed = Drain(); !closed.empty()) return closed;
  }
  Actions actions;
  if (!pinged_ && now - last_heard_ >= options_.ping_interval) {
    pinged_ = now;
    actions.emplace_back(SendPing{next_nonce_++});
  }
  if (now >= next_metrics_) {
    next_metrics_ = now + options_.metrics_interval;
    actions.emplace_back(SendMetrics{});
  }
  return actions;
}

/// What has been waited for long enough.
std::optional<std::string> Session::Overdue(SteadyTime now) const {
  if (awaiting_ack() && now >= ack_deadline()) return "batches are not acknowledged";
  if (waiting_bytes_ > 0 && now - write_wait_ >= options_.write_timeout) {
    return "the collector does not read";
  }
  if (pinged_ && now - *pinged_ >= options_.ping_interval) return "no answer to a ping";
  return std::nullopt;
}

/// A slow connection is not a dead one; only when it is so slow that it is of no use.
SteadyTime Session::ack_deadline() const {
  return std::min(std::max(answer_wait_, write_moved_) + options_.ack_timeout,
                  answer_wait_ + options_.answer_timeout);
}

SteadyTime Session::deadline() const {
  if (!streaming()) return opened_ + options_.welcome_timeout;
  SteadyTime next =
      std::min(next_metrics_, (pinged_ ? *pinged_ : last_heard_) + options_.ping_interval);
  if (awaiting_ack()) next = std::min(next, ack_deadline());
  if (waiting_bytes_ > 0) next = std::min(next, write_wait_ + options_.write_timeout);
  if (age_deadline_) next = std::min(next, *age_deadline_);
  if (paused_until_) next = std::min(next, *paused_until_);
  return next;
}

void Session::NoteWrites(std::size_t waiting_bytes, SteadyTime now) {
  const bool moved = waiting_bytes < waiting_bytes_;
  if (moved) write_moved_ = now;
  if (moved || waiting_bytes_ == 0) write_wait_ = now;
  waiting_bytes_ = waiting_bytes;
}

Session::Actions Session::Drain() {
  if (state_ != State::kStreaming) return {};  // nothing to drain, or at it already
  state_ = State::kDraining;
  age_deadline_.reset();
  return CloseIfDrained();
}

Session::Actions Session::CloseIfDrained() {
  if (state_ != State::kDraining || awaiting_ack()) return {};
  return CloseWith(Close::Kind::kDrained, "the connection was drained");
}

std::optional<std::string_view> Session::NextBatch(SteadyTime now) {
  if (state_ != State::kStreaming || (paused_until_ && now < *paused_until_)) return std::nullopt;
  // What was sent on an earlier connection may be acknowledged or rejected before it is sent here.
  cursor_ = std::max(cursor_, queue_.first_sequence());
  ForgetAnswered();
  if (sent_.size() >= window_batches_) return std::nullopt;
  const bool again = cursor_ < queue_.unsent_sequence();
  if (!again) {
    if (!queue_.has_unsent()) return std::nullopt;
    // One batch may always be on its way, whatever its size.
    if (!sent_.empty() && queue_.sent_bytes() >= options_.window_bytes) return std::nullopt;
  }
  if (sent_.empty()) answer_wait_ = now;  // the wait for the first acknowledgement starts here
  OutgoingBatch batch = again ? queue_.Sent(cursor_) : queue_.TakeUnsent();
  // It would be refused for ever, and everything behind it with it.
  if (batch.frame.size() > max_frame_bytes_) {
    batch = queue_.GiveUp(batch.sequence, DropReason::kTooLarge);
  }
  sent_.push_back({batch.sequence, now});
  cursor_ = batch.sequence + 1;
  ++statistics_.batches_sent;
  if (again) ++statistics_.batches_again;
  return batch.frame;
}

std::uint64_t Session::unanswered() const {
  return static_cast<std::uint64_t>(
      std::count_if(sent_.begin(), sent_.end(),
                    [this](const Sent& sent) { return sent.sequence >= queue_.first_sequence(); }));
}

/// Those up to `sequence` that were sent on this connection.
void Session::CountAcknowledged(std::uint64_t sequence, SteadyTime now) {
  for (; !sent_.empty() && sent_.front().sequence <= sequence; sent_.pop_front()) {
    statistics_.ack_latency.Observe(
        std::chrono::duration<double>(now - sent_.front().time).count());
  }
}

/// Those that were rejected, or of which the queue knows by other means.
void Session::ForgetAnswered() {
  while (!sent_.empty() && sent_.front().sequence < queue_.first_sequence()) sent_.pop_front();
}

Session::Actions Session::OnWelcome(std::string_view payload, SteadyTime now) {
  if (state_ != State::kAwaitingWelcome) {
    return CloseWith(Close::Kind::kProtocol, "the collector sent a second welcome");
  }
  auto welcome = wire::DecodeWelcome(payload);
  if (!welcome) return CloseWith(Close::Kind::kProtocol, welcome.error().message());
  if (welcome->protocol_version != wire::kProtocolVersion) {
    return CloseWith(Close::Kind::kRefused,
                     Join("the collector wants protocol version ", welcome->protocol_version,
                          ", this agent speaks ", wire::kProtocolVersion));
  }
  if (const std::uint32_t limit = welcome->max_frame_bytes; limit != 0) {
    if (limit < kLeastFramePayloadBytes) {
      return CloseWith(Close::Kind::kRefused, Join("the collector takes frames of ", limit,
                                                   " bytes at most, which is too few"));
    }
    max_frame_bytes_ = wire::kFrameHeaderBytes + std::min(limit, wire::kMaxFramePayloadBytes);
  }
  // Everything below is durable there. A collector that knows less than an earlier one
  // acknowledged starts from the oldest batch that is still held.
  if (welcome->next_sequence > 0 && !queue_.Acknowledge(welcome->next_sequence - 1)) {
    return CloseWith(Close::Kind::kProtocol,
                     Join("the collector expects batch ", welcome->next_sequence,
                          ", the next one is ", queue_.unsent_sequence()));
  }
  cursor_ = queue_.first_sequence();
  window_batches_ = options_.window_batches;
  if (welcome->max_unacknowledged_batches != 0) {
    window_batches_ = std::min(window_batches_, welcome->max_unacknowledged_batches);
  }
  state_ = State::kStreaming;
  welcomed_ = true;
  last_progress_ = answer_wait_ = now;
  next_metrics_ = now + options_.metrics_interval;
  if (options_.max_age > options_.max_age.zero()) age_deadline_ = now + options_.max_age;
  return {SendMetrics{}};
}

Session::Actions Session::OnAck(std::string_view payload, SteadyTime now) {
  auto ack = wire::DecodeAck(payload);
  if (!ack) return CloseWith(Close::Kind::kProtocol, ack.error().message());
  if (ack->sequence < queue_.first_sequence()) return {};  // a repetition
  // One sent on an earlier connection may become durable while it is being sent again.
  if (!queue_.Acknowledge(ack->sequence)) {
    return CloseWith(Close::Kind::kProtocol, Join("the collector acknowledged batch ",
                                                  ack->sequence, ", which was never sent"));
  }
  CountAcknowledged(ack->sequence, now);
  NoteAnswer(now);
  return CloseIfDrained();
}

Session::Actions Session::OnReject(std::string_view payload, SteadyTime now) {
  auto reject = wire::DecodeReject(payload);
  if (!reject) return CloseWith(Close::Kind::kProtocol, reject.error().message());
  if (reject->sequence < queue_.first_sequence()) return {};  // a repetition
  if (!queue_.Reject(reject->sequence)) {
    return CloseWith(Close::Kind::kProtocol, Join("the collector rejected batch ", reject->sequence,
                                                  ", which was never sent"));
  }
  NoteAnswer(now);
  Actions actions{Report{"the collector rejected a batch", Shortened(std::move(reject->reason))}};
  for (Action& action : CloseIfDrained()) actions.push_back(std::move(action));
  return actions;
}

void Session::NoteAnswer(SteadyTime now) {
  answered_ = true;
  last_progress_ = now;
  answer_wait_ = std::max(now, paused_until_.value_or(now));
  pauses_since_.reset();
}

Session::Actions Session::OnSlowDown(std::string_view payload, SteadyTime now) {
  auto slow = wire::DecodeSlowDown(payload);
  if (!slow) return CloseWith(Close::Kind::kProtocol, slow.error().message());
  ++statistics_.slow_downs;
  statistics_.slow_down_reason = Shortened(std::move(slow->reason));
  auto pause = std::min(std::chrono::milliseconds(slow->delay_ms), options_.max_pause);
  const bool in_a_row = paused_until_ || awaiting_ack();
  if (!pauses_since_ || !in_a_row) pauses_since_ = now;
  if (now - *pauses_since_ >= options_.max_pauses) {
    return CloseWith(Close::Kind::kTimeout, "the collector asks for pauses and takes nothing");
  }
  paused_until_ = now + pause;
  // The wait for acknowledgements begins again after the pause.
  answer_wait_ = std::max(answer_wait_, *paused_until_);
  return {};
}

Session::Actions Session::OnGoodbye(std::string_view payload) {
  auto goodbye = wire::DecodeGoodbye(payload);
  if (!goodbye) return CloseWith(Close::Kind::kProtocol, goodbye.error().message());
  return CloseWith(goodbye->retry ? Close::Kind::kGoodbye : Close::Kind::kRefused,
                   Shortened(std::move(goodbye->reason)));
}

Session::Actions Session::CloseWith(Close::Kind kind, std::string reason) {
  state_ = State::kClosed;
  return {Close{kind, std::move(reason)}};
}

}  // namespace dunlin::shipper
