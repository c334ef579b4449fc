#include "shipper/sender.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "protocol/base/log.h"
#include "shipper/opening.h"

namespace dunlin::shipper {
namespace {

/// Batches are copied when written, so no more than this lies in the connection beside the queue.
constexpr std::size_t kMaxPendingWriteBytes = 64_KiB;
/// One write holds several small batches, so that a backlog of them does not cost a system call
/// each.
constexpr std::size_t kWriteBytes = 64_KiB;
/// While so much waits, a peer that does not read gets no answers to its pings either.
constexpr std::size_t kMaxPendingControlBytes = 256_KiB;

/// When time-outs are looked at this late, the process was held up, and so may answers be that have
/// long arrived. They get this time to be read.
constexpr std::chrono::milliseconds kHeldUp{200};
constexpr std::chrono::milliseconds kCatchUp{1000};

SendErrorKind KindOf(Session::Close::Kind kind) {
  switch (kind) {
    case Session::Close::Kind::kTimeout:
      return SendErrorKind::kTimeout;
    case Session::Close::Kind::kGoodbye:
      return SendErrorKind::kReset;
    case Session::Close::Kind::kRefused:
      return SendErrorKind::kRefused;
    case Session::Close::Kind::kProtocol:
    case Session::Close::Kind::kDrained:  // no error
      break;
  }
  return SendErrorKind::kProtocol;
}

std::string Framed(wire::FrameType type, std::string_view payload) {
  std::string out;
  wire::AppendFrame(out, type, payload);
  return out;
}

}  // namespace

/// What lives as long as one connection.
struct Sender::Link {
  Link(std::unique_ptr<net::Connection> c, Queue& queue, const SessionOptions& options,
       SessionStatistics& statistics)
      : session(queue, options, statistics), connection(std::move(c)) {}

  Session session;
  wire::FrameReader reader{kMaxCollectorFrameBytes};
  std::unique_ptr<net::Connection> connection;
  SteadyTime opened{};
};

Sender::Sender(net::Loop& loop, const Clock& clock, Queue& queue, SenderOptions options)
    : loop_(loop),
      clock_(clock),
      queue_(queue),
      options_(std::move(options)),
      retry_(options_.collectors.size(), options_.jitter_seed, options_.retry),
      retry_timer_(loop,
                   [this] {
                     not_before_[collector_] = {};
                     Connect({collector_, {}});
                   }),
      tick_timer_(loop, [this] { OnTick(); }),
      better_(loop, {options_.collectors, options_.tls, options_.connect_timeout,
                     options_.session.welcome_timeout}),
      not_before_(options_.collectors.size()),
      reported_errors_(options_.collectors.size()) {
  better_.on_found = [this](std::size_t collector) { OnBetterCollector(collector); };
  better_.on_failed = [this](std::size_t collector, SendErrorKind kind, const std::string& reason) {
    CountError(collector, kind, reason);
  };
  better_.on_none = [this] { SearchBetter(); };
}

Sender::~Sender() = default;

void Sender::Start(std::string metrics_address) {
  options_.hello.metrics_address = std::move(metrics_address);
  Connect(retry_.First());
}

void Sender::OnQueued() { Pump(); }

void Sender::Hurry() {
  if (stopped_ || std::exchange(hurried_, true)) return;
  better_.Stop();
  retry_.Reset();
  if (link_) link_->session.StopAging();
  if (retry_timer_.active()) retry_timer_.Start({});
}

void Sender::Stop() {
  if (connected()) WriteMetrics();
  stopped_ = true;
  retry_timer_.Stop();
  connector_.reset();
  CloseLink();
}

bool Sender::connected() const { return link_ && link_->session.streaming(); }

std::string Sender::peer() const { return connected() ? link_->connection->peer() : std::string(); }

std::optional<std::chrono::nanoseconds> Sender::pause() const {
  constexpr std::chrono::nanoseconds kOver(0);
  const SteadyTime now = clock_.Steady();
  if (!held_back_ && !(link_ && link_->session.held_back())) return std::nullopt;
  const SteadyTime until =
      link_ ? link_->session.paused_until().value_or(now) : not_before_[collector_];
  return std::max(kOver, until - now);
}

std::optional<SteadyTime> Sender::last_progress() const {
  if (!connected()) return std::nullopt;
  return link_->session.last_progress();
}

void Sender::Connect(RetryPolicy::Attempt attempt) {
  if (stopped_) return;
  collector_ = attempt.collector;
  // After a pause the collector asked for, the jitter comes on top.
  const auto pause = std::max(not_before_[collector_] - clock_.Steady(), SteadyTime::duration(0));
  if (attempt.delay + pause > pause.zero()) {
    retry_timer_.Start(attempt.delay + pause);
    return;
  }
  connector_ = net::Connector::Connect(
      loop_, options_.collectors[collector_], options_.connect_timeout,
      [this](Result<std::unique_ptr<net::Connection>> connection) {
        OnConnectDone(std::move(connection));
      },
      options_.tls);
}

void Sender::OnConnectDone(Result<std::unique_ptr<net::Connection>> connection) {
  if (!connection) {
    held_back_ = false;
    const Error& error = connection.error();
    statistics_.last_tls_failure = connector_->tls_failure();
    Fail(KindOfConnectError(*connector_, error.code()), error.message(), retry_.AfterFailure());
    return;
  }
  SessionOptions session = options_.session;
  session.max_age = retry_.Spread(options_.max_connection_age);
  link_ = std::make_unique<Link>(std::move(*connection), queue_, session, statistics_.sessions);
  link_->opened = clock_.Steady();
  link_->connection->on_data = [this](std::string_view bytes) { OnData(bytes); };
  link_->connection->on_drained = [this] { Pump(); };
  link_->connection->on_close = [this](std::optional<Error> error) {
    EndLink(SendErrorKind::kReset,
            error ? error->message() : std::string("the collector closed the connection"));
  };
  link_->connection->StartReading();
  Perform(link_->session.OnConnected(clock_.Steady()));
  ArmTick();
}

void Sender::OnData(std::string_view bytes) {
  link_->reader.Feed(bytes);
  bool was_connected = connected();
  const std::uint64_t settled = queue_.first_sequence();
  const Answers answers{queue_.acknowledged_batches(), queue_.rejected_batches()};
  while (link_) {
    auto frame = link_->reader.Next();
    if (!frame) {
      EndLink(SendErrorKind::kProtocol, frame.error().message());
      break;
    }
    if (!*frame) break;
    Perform(link_->session.OnFrame(**frame, clock_.Steady()));
    if (!was_connected && connected()) {
      was_connected = true;
      OnWelcomed();
    }
  }
  CountAnswers(answers);
  if (queue_.first_sequence() != settled && on_progress) on_progress();
  Pump();
  ArmTick();
}

void Sender::OnTick() {
  if (!link_) return;
  const SteadyTime now = clock_.Steady();
  if (now - tick_due_ >= kHeldUp && !std::exchange(was_late_, true)) {
    tick_timer_.Start(kCatchUp);
    return;
  }
  was_late_ = false;
  NoteWrites();
  Perform(link_->session.OnTick(now));
  Pump();
  ArmTick();
}

void Sender::Perform(const Session::Actions& actions) {
  for (const Session::Action& action : actions) {
    std::visit(
        [this](const auto& a) {
          using A = std::decay_t<decltype(a)>;
          if constexpr (std::is_same_v<A, Session::SendHello>) {
            WriteControl(Opening(CurrentHello()));
          } else if constexpr (std::is_same_v<A, Session::SendPing>) {
            WriteControl(Framed(wire::FrameType::kPing, wire::Encode(wire::Ping{a.nonce})));
          } else if constexpr (std::is_same_v<A, Session::SendPong>) {
            WriteControl(Framed(wire::FrameType::kPong, wire::Encode(wire::Pong{a.nonce})));
          } else if constexpr (std::is_same_v<A, Session::SendMetrics>) {
            WriteMetrics();
          } else if constexpr (std::is_same_v<A, Session::Report>) {
            log::Warn(a.event, {{"collector", link_->connection->peer()}, {"reason", a.detail}});
          } else {
            static_assert(std::is_same_v<A, Session::Close>);
            if (a.kind == Session::Close::Kind::kDrained) {
              OnDrained();
            } else {
              EndLink(KindOf(a.kind), a.reason);
            }
          }
        },
        action);
  }
}

void Sender::OnWelcomed() {
  ++statistics_.connections;
  statistics_.connected_since = clock_.Now();
  statistics_.last_error.clear();
  next_ = collector_;
  max_frame_bytes_ = link_->session.max_frame_bytes();
  SearchBetter();
  if (hurried_) link_->session.StopAging();
  if (on_welcomed) on_welcomed();
  if (reported_errors_[collector_].empty()) return;
  log::Info("connected to the collector again", {{"collector", link_->connection->peer()}});
  reported_errors_[collector_].clear();
}

/// Those before the one in use, if there are any.
void Sender::SearchBetter() {
  if (hurried_) return;
  better_.Search(collector_, retry_.Spread(options_.return_interval),
                 [this] { return CurrentHello(); });
}

void Sender::OnBetterCollector(std::size_t collector) {
  next_ = collector;
  Perform(link_->session.Drain());
  ArmTick();
}

void Sender::CountAnswers(const Answers& before) {
  if (queue_.acknowledged_batches() != before.acknowledged) {
    statistics_.last_ack = clock_.Now();
    held_back_ = false;
  }
  statistics_.errors[static_cast<std::size_t>(SendErrorKind::kRejected)] +=
      queue_.rejected_batches() - before.rejected;
}

void Sender::Pump() {
  while (link_ && link_->connection->pending_write_bytes() < kMaxPendingWriteBytes) {
    std::string out;
    while (out.size() < kWriteBytes) {
      auto frame = link_->session.NextBatch(clock_.Steady());
      if (!frame) break;
      out += *frame;
    }
    if (out.empty()) return;
    statistics_.bytes_sent += out.size();
    Write(std::move(out));
    ArmTick();
  }
}

void Sender::ArmTick() {
  if (!link_) {
    tick_timer_.Stop();
    return;
  }
  if (was_late_) return;  // it looks again in a moment
  const SteadyTime now = clock_.Steady();
  tick_due_ = std::max(link_->session.deadline(), now);
  tick_timer_.Start(tick_due_ - now);
}

void Sender::NoteWrites() {
  link_->session.NoteWrites(link_->connection->pending_write_bytes(), clock_.Steady());
}

void Sender::WriteControl(std::string bytes) {
  if (link_->connection->pending_write_bytes() >= kMaxPendingControlBytes) return;
  Write(std::move(bytes));
}

/// Notes how far writing has come before and after, because afterwards there is more to write.
void Sender::Write(std::string bytes) {
  NoteWrites();
  link_->connection->Write(std::move(bytes));
  NoteWrites();
}

void Sender::WriteMetrics() {
  if (!metrics) return;
  wire::Metrics snapshot{static_cast<std::uint64_t>(NanosecondsOf(clock_.Now())), metrics()};
  std::string frame = Framed(wire::FrameType::kMetrics, wire::Encode(snapshot));
  if (frame.size() <= link_->session.max_frame_bytes()) WriteControl(std::move(frame));
}

/// What this agent is to a collector now.
wire::Hello Sender::CurrentHello() const {
  wire::Hello hello = options_.hello;
  hello.first_sequence = queue_.first_sequence();
  return hello;
}

void Sender::CloseLink() {
  if (link_) statistics_.batches_lost += link_->session.unanswered();
  statistics_.connected_since.reset();
  link_.reset();
  better_.Stop();
  tick_timer_.Stop();
  was_late_ = false;
}

/// The next connection begins where this one ended, in good order.
void Sender::OnDrained() {
  CloseLink();
  Connect(retry_.AfterDrain(next_));
}

void Sender::EndLink(SendErrorKind kind, const std::string& reason) {
  const Session& session = link_->session;
  const SteadyTime now = clock_.Steady();
  // One that welcomes and then takes nothing is as good as none: the bound grows, and the other
  // collectors get their turn.
  const bool worked =
      session.answered() || (session.welcomed() && now - link_->opened >= options_.retry.cap);
  if (worked) retry_.Reset();
  const bool paused = session.paused_until() > now;
  if (paused) not_before_[collector_] = *session.paused_until();
  held_back_ = session.held_back();
  statistics_.last_tls_failure.reset();
  CloseLink();
  RetryPolicy::Attempt next;
  if (kind == SendErrorKind::kRefused) {
    next = retry_.AfterRefusal();
  } else if (worked && !paused && kind != SendErrorKind::kTimeout) {
    next = retry_.AfterBreak();
  } else {
    next = retry_.AfterFailure();
  }
  Fail(kind, reason, next);
}

void Sender::Fail(SendErrorKind kind, const std::string& reason, RetryPolicy::Attempt next) {
  statistics_.last_error = reason;
  statistics_.last_error_kind = kind;
  statistics_.last_error_at = clock_.Now();
  CountError(collector_, kind, reason);
  Connect(next);
}

void Sender::CountError(std::size_t collector, SendErrorKind kind, const std::string& reason) {
  ++statistics_.errors[static_cast<std::size_t>(kind)];
  // Once per cause, not once per attempt.
  if (reason == reported_errors_[collector]) return;
  reported_errors_[collector] = reason;
  log::Warn("not connected to the collector",
            {{"collector", options_.collectors[collector].ToString()},
             {"kind", SendErrorKindName(kind)},
             {"cause", reason}});
}

}  // namespace dunlin::shipper
