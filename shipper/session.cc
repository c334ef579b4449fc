#include "shipper/session.h"

#include <algorithm>
#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/wire/messages.h"

namespace dunlin::shipper {
namespace {

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
  opened_ = last_heard_ = last_progress_ = now;
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
      break;
  }
  // The driver goes on sending after each tick.
  if (paused_until_ && now >= *paused_until_) paused_until_.reset();
  if (awaiting_ack() && now - last_progress_ >= options_.ack_timeout) {
    return CloseWith(Close::Kind::kTimeout, "batches are not acknowledged");
  }
  if (pinged_ && now - *pinged_ >= options_.ping_interval) {
    return CloseWith(Close::Kind::kTimeout, "no answer to a ping");
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

SteadyTime Session::deadline() const {
  if (state_ != State::kStreaming) return opened_ + options_.welcome_timeout;
  SteadyTime next =
      std::min(next_metrics_, (pinged_ ? *pinged_ : last_heard_) + options_.ping_interval);
  if (awaiting_ack()) next = std::min(next, last_progress_ + options_.ack_timeout);
  if (paused_until_) next = std::min(next, *paused_until_);
  return next;
}

std::optional<std::string_view> Session::NextBatch(SteadyTime now) {
  if (state_ != State::kStreaming || (paused_until_ && now < *paused_until_)) return std::nullopt;
  // What was sent on an earlier connection may be acknowledged or rejected before it is sent here.
  cursor_ = std::max(cursor_, queue_.first_sequence());
  const std::uint64_t in_flight = cursor_ - queue_.first_sequence();
  if (in_flight >= window_batches_) return std::nullopt;
  const bool again = cursor_ < queue_.next_sequence();
  if (!again && !queue_.has_unsent()) return std::nullopt;
  if (in_flight == 0) last_progress_ = now;  // the wait for the first acknowledgement starts here
  if (again) {
    CountSent(again, now);
    return queue_.SentFrame(cursor_++);
  }
  // One batch may always be on its way, whatever its size.
  if (in_flight > 0 && queue_.sent_bytes() >= options_.window_bytes) return std::nullopt;
  CountSent(again, now);
  ++cursor_;
  return queue_.TakeUnsent();
}

void Session::CountSent(bool again, SteadyTime now) {
  ++statistics_.batches_sent;
  if (again) ++statistics_.batches_again;
  sent_at_[cursor_ % sent_at_.size()] = now;
}

/// Those of the batches from `first` to `last` that were sent on this connection.
void Session::CountAcknowledged(std::uint64_t first, std::uint64_t last, SteadyTime now) {
  for (std::uint64_t sequence = first; sequence <= last && sequence < cursor_; ++sequence) {
    statistics_.ack_latency.Observe(
        std::chrono::duration<double>(now - sent_at_[sequence % sent_at_.size()]).count());
  }
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
  // Everything below is durable there. A collector that knows less than an earlier one
  // acknowledged starts from the oldest batch that is still held.
  if (welcome->next_sequence > 0 && !queue_.Acknowledge(welcome->next_sequence - 1)) {
    return CloseWith(Close::Kind::kProtocol,
                     Join("the collector expects batch ", welcome->next_sequence,
                          ", the next one is ", queue_.next_sequence()));
  }
  cursor_ = queue_.first_sequence();
  window_batches_ = options_.window_batches;
  if (welcome->max_unacknowledged_batches != 0) {
    window_batches_ = std::min(window_batches_, welcome->max_unacknowledged_batches);
  }
  sent_at_.resize(window_batches_);
  state_ = State::kStreaming;
  welcomed_ = true;
  last_progress_ = now;
  next_metrics_ = now + options_.metrics_interval;
  return {SendMetrics{}};
}

Session::Actions Session::OnAck(std::string_view payload, SteadyTime now) {
  auto ack = wire::DecodeAck(payload);
  if (!ack) return CloseWith(Close::Kind::kProtocol, ack.error().message());
  const std::uint64_t first = queue_.first_sequence();
  if (ack->sequence < first) return {};  // a repetition
  // One sent on an earlier connection may become durable while it is being sent again.
  if (!queue_.Acknowledge(ack->sequence)) {
    return CloseWith(Close::Kind::kProtocol, Join("the collector acknowledged batch ",
                                                  ack->sequence, ", which was never sent"));
  }
  CountAcknowledged(first, ack->sequence, now);
  last_progress_ = now;
  return {};
}

Session::Actions Session::OnReject(std::string_view payload, SteadyTime now) {
  auto reject = wire::DecodeReject(payload);
  if (!reject) return CloseWith(Close::Kind::kProtocol, reject.error().message());
  if (reject->sequence < queue_.first_sequence()) return {};  // a repetition
  if (!queue_.Reject(reject->sequence)) {
    return CloseWith(Close::Kind::kProtocol, Join("the collector rejected batch ", reject->sequence,
                                                  ", which was never sent"));
  }
  last_progress_ = now;
  return {Report{"the collector rejected a batch", Shortened(std::move(reject->reason))}};
}

Session::Actions Session::OnSlowDown(std::string_view payload, SteadyTime now) {
  auto slow = wire::DecodeSlowDown(payload);
  if (!slow) return CloseWith(Close::Kind::kProtocol, slow.error().message());
  ++statistics_.slow_downs;
  auto pause = std::min(std::chrono::milliseconds(slow->delay_ms), options_.max_pause);
  paused_until_ = now + pause;
  // The wait for acknowledgements begins again after the pause.
  last_progress_ = *paused_until_;
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
