#include "shipper/sender.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::shipper {
namespace {

/// Batches are copied when written, so no more than this lies in the connection beside the queue.
constexpr std::size_t kMaxPendingWriteBytes = 64_KiB;
/// One write holds several small batches, so that a backlog of them does not cost a system call
/// each.
constexpr std::size_t kWriteBytes = 64_KiB;

SendErrorKind KindOfConnectError(ErrorCode code) {
  if (code == ErrorCode::kNotFound) return SendErrorKind::kDns;
  if (code == ErrorCode::kTimeout) return SendErrorKind::kTimeout;
  return SendErrorKind::kConnect;
}

SendErrorKind KindOf(Session::Close::Kind kind) {
  switch (kind) {
    case Session::Close::Kind::kProtocol:
      return SendErrorKind::kProtocol;
    case Session::Close::Kind::kTimeout:
      return SendErrorKind::kTimeout;
    case Session::Close::Kind::kGoodbye:
      return SendErrorKind::kReset;
    case Session::Close::Kind::kRefused:
      return SendErrorKind::kRefused;
  }
  return SendErrorKind::kProtocol;
}

std::string Framed(wire::FrameType type, std::string_view payload) {
  std::string out;
  wire::AppendFrame(out, type, payload);
  return out;
}

}  // namespace

std::string_view SendErrorKindName(SendErrorKind kind) {
  switch (kind) {
    case SendErrorKind::kDns:
      return "dns";
    case SendErrorKind::kConnect:
      return "connect";
    case SendErrorKind::kTimeout:
      return "timeout";
    case SendErrorKind::kReset:
      return "reset";
    case SendErrorKind::kProtocol:
      return "protocol";
    case SendErrorKind::kRefused:
      return "refused";
    case SendErrorKind::kRejected:
      return "rejected";
  }
  return "unknown";
}

/// What lives as long as one connection.
struct Sender::Link {
  Link(std::unique_ptr<net::Connection> c, Queue& queue, const SessionOptions& options,
       SessionStatistics& statistics)
      : session(queue, options, statistics), connection(std::move(c)) {}

  Session session;
  wire::FrameReader reader;
  std::unique_ptr<net::Connection> connection;
};

Sender::Sender(net::Loop& loop, const Clock& clock, Queue& queue, SenderOptions options)
    : loop_(loop),
      clock_(clock),
      queue_(queue),
      options_(std::move(options)),
      retry_(options_.collectors.size(), options_.jitter_seed, options_.retry),
      retry_timer_(loop,
                   [this] {
                     Connect({collector_, {}});
                   }),
      tick_timer_(loop, [this] { OnTick(); }) {}

Sender::~Sender() = default;

void Sender::Start(std::string metrics_address) {
  options_.hello.metrics_address = std::move(metrics_address);
  Connect(retry_.First());
}

void Sender::OnQueued() { Pump(); }

void Sender::Stop() {
  if (connected()) WriteMetrics();
  stopped_ = true;
  retry_timer_.Stop();
  tick_timer_.Stop();
  connector_.reset();
  link_.reset();
}

bool Sender::connected() const { return link_ && link_->session.streaming(); }

std::string Sender::peer() const { return connected() ? link_->connection->peer() : std::string(); }

std::optional<SteadyTime> Sender::last_progress() const {
  if (!connected()) return std::nullopt;
  return link_->session.last_progress();
}

void Sender::Connect(RetryPolicy::Attempt attempt) {
  if (stopped_) return;
  collector_ = attempt.collector;
  if (attempt.delay > std::chrono::milliseconds(0)) {
    retry_timer_.Start(attempt.delay);
    return;
  }
  connector_ =
      net::Connector::Connect(loop_, options_.collectors[collector_], options_.connect_timeout,
                              [this](Result<std::unique_ptr<net::Connection>> connection) {
                                OnConnectDone(std::move(connection));
                              });
}

void Sender::OnConnectDone(Result<std::unique_ptr<net::Connection>> connection) {
  if (!connection) {
    Fail(KindOfConnectError(connection.error().code()), connection.error().message(),
         retry_.AfterFailure());
    return;
  }
  link_ = std::make_unique<Link>(std::move(*connection), queue_, options_.session,
                                 statistics_.sessions);
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
  Perform(link_->session.OnTick(clock_.Steady()));
  Pump();
  ArmTick();
}

void Sender::Perform(const Session::Actions& actions) {
  for (const Session::Action& action : actions) {
    std::visit(
        [this](const auto& a) {
          using A = std::decay_t<decltype(a)>;
          if constexpr (std::is_same_v<A, Session::SendHello>) {
            options_.hello.first_sequence = queue_.first_sequence();
            std::string out(wire::kPreface);
            wire::AppendFrame(out, wire::FrameType::kHello, wire::Encode(options_.hello));
            link_->connection->Write(std::move(out));
          } else if constexpr (std::is_same_v<A, Session::SendPing>) {
            link_->connection->Write(
                Framed(wire::FrameType::kPing, wire::Encode(wire::Ping{a.nonce})));
          } else if constexpr (std::is_same_v<A, Session::SendPong>) {
            link_->connection->Write(
                Framed(wire::FrameType::kPong, wire::Encode(wire::Pong{a.nonce})));
          } else if constexpr (std::is_same_v<A, Session::SendMetrics>) {
            WriteMetrics();
          } else if constexpr (std::is_same_v<A, Session::Report>) {
            log::Warn(a.event, {{"collector", link_->connection->peer()}, {"reason", a.detail}});
          } else {
            static_assert(std::is_same_v<A, Session::Close>);
            EndLink(KindOf(a.kind), a.reason);
          }
        },
        action);
  }
}

void Sender::OnWelcomed() {
  ++statistics_.connections;
  statistics_.connected_since = clock_.Now();
  statistics_.last_error.clear();
  if (reported_error_.empty()) return;
  log::Info("connected to the collector again", {{"collector", link_->connection->peer()}});
  reported_error_.clear();
}

void Sender::CountAnswers(const Answers& before) {
  if (queue_.acknowledged_batches() != before.acknowledged) statistics_.last_ack = clock_.Now();
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
    link_->connection->Write(std::move(out));
    ArmTick();
  }
}

void Sender::ArmTick() {
  if (!link_) {
    tick_timer_.Stop();
    return;
  }
  auto delay = link_->session.deadline() - clock_.Steady();
  tick_timer_.Start(std::max<std::chrono::nanoseconds>(delay, std::chrono::nanoseconds(0)));
}

void Sender::WriteMetrics() {
  if (!metrics) return;
  wire::Metrics snapshot{static_cast<std::uint64_t>(NanosecondsOf(clock_.Now())), metrics()};
  link_->connection->Write(Framed(wire::FrameType::kMetrics, wire::Encode(snapshot)));
}

void Sender::EndLink(SendErrorKind kind, const std::string& reason) {
  const bool welcomed = link_->session.welcomed();
  statistics_.batches_lost += link_->session.unanswered();
  statistics_.connected_since.reset();
  link_.reset();
  tick_timer_.Stop();
  RetryPolicy::Attempt next = kind == SendErrorKind::kRefused ? retry_.AfterRefusal()
                              : welcomed                      ? retry_.AfterBreak()
                                                              : retry_.AfterFailure();
  Fail(kind, reason, next);
}

void Sender::Fail(SendErrorKind kind, const std::string& reason, RetryPolicy::Attempt next) {
  ++statistics_.errors[static_cast<std::size_t>(kind)];
  statistics_.last_error = reason;
  // Once per cause, not once per attempt.
  if (reason != reported_error_) {
    reported_error_ = reason;
    log::Warn("not connected to the collector",
              {{"collector", options_.collectors[collector_].ToString()},
               {"kind", SendErrorKindName(kind)},
               {"cause", reason}});
  }
  Connect(next);
}

}  // namespace dunlin::shipper
