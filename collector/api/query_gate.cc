#include "collector/api/query_gate.h"

#include <optional>
#include <set>
#include <utility>

#include "collector/api/compression.h"
#include "protocol/base/log.h"

namespace dunlin::api {
namespace {

using collector::QueryError;

/// How soon a query hears that it should stop.
constexpr std::chrono::milliseconds kSweep{20};

std::optional<QueryError> ErrorOfStatus(int status) {
  if (status < 400) return std::nullopt;
  if (status == 429) return QueryError::kTooMany;
  if (status == 499) return QueryError::kCancelled;
  if (status == 504) return QueryError::kTimeout;
  return status < 500 ? QueryError::kBadRequest : QueryError::kInternal;
}

http::Response ErrorText(int status, std::string text) {
  http::Response response = http::Response::Text(status, std::move(text));
  response.headers.Set("X-Content-Type-Options", "nosniff");
  return response;
}

}  // namespace

http::Response QueryTicket::Answer(const Error& error) const {
  switch (error.code()) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnsupported:
    case ErrorCode::kExhausted:
      return ErrorText(400, error.message());
    case ErrorCode::kCancelled:
    case ErrorCode::kTimeout:
      if (timed_out_ || error.code() == ErrorCode::kTimeout) {
        return ErrorText(504,
                         "the query ran into its deadline (--query-timeout): ask for a shorter "
                         "time range or a narrower selector");
      }
      return ErrorText(499, "the client went away");
    case ErrorCode::kUnavailable:
      return ErrorText(503, error.message());
    case ErrorCode::kNotFound:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kCorruption:
    case ErrorCode::kIo:
    case ErrorCode::kPermissionDenied:
      log::Fail("query_failed", {{"error", error.message()}});
      return ErrorText(500, error.message());
  }
  return ErrorText(500, error.message());
}

struct QueryGate::Impl : std::enable_shared_from_this<QueryGate::Impl> {
  Impl(net::Loop& loop, net::WorkerPool& worker_pool, collector::CollectorMetrics& the_metrics,
       const Clock& the_clock, Options the_options)
      : workers(worker_pool),
        metrics(the_metrics),
        clock(the_clock),
        options(the_options),
        sweep(loop, [this] { Sweep(); }) {}

  void Start(const QueryHandle& handle, http::Request request, server::Responder respond,
             server::Cancelled client_gone) {
    if (tickets.size() >= options.max_queries) {
      metrics.CountQueryError(QueryError::kTooMany);
      http::Response busy = ErrorText(429, "too many outstanding requests: try again soon");
      busy.headers.Set("Retry-After", "1");
      respond(std::move(busy));
      return;
    }
    SteadyTime now = clock.Steady();
    auto timeout = std::chrono::duration_cast<SteadyTime::duration>(options.timeout);
    auto ticket = std::make_shared<QueryTicket>(std::move(client_gone), now, now + timeout);
    tickets.insert(ticket);
    metrics.SetRunningQueries(tickets.size());
    if (!sweep.active()) sweep.Start(kSweep, kSweep);

    auto response = std::make_shared<http::Response>();
    workers.Submit(
        [handle, ticket, response, asked = std::move(request)] {
          if (ticket->stop()) {
            *response = ticket->Answer(Error(ErrorCode::kCancelled, "not begun"));
          } else {
            *response = CompressedFor(asked, handle(asked, *ticket));
          }
        },
        [weak = weak_from_this(), ticket, response, answer = std::move(respond)] {
          if (auto self = weak.lock()) self->Finish(ticket, response->status);
          answer(std::move(*response));
        });
  }

  void Finish(const std::shared_ptr<QueryTicket>& ticket, int status) {
    tickets.erase(ticket);
    metrics.SetRunningQueries(tickets.size());
    if (auto error = ErrorOfStatus(status)) metrics.CountQueryError(*error);
    if (tickets.empty()) sweep.Stop();
  }

  void Sweep() {
    SteadyTime now = clock.Steady();
    for (const auto& ticket : tickets) {
      if (now >= ticket->deadline_) {
        ticket->timed_out_ = true;
        ticket->stop_ = true;
      } else if (ticket->client_gone_ && *ticket->client_gone_) {
        ticket->stop_ = true;
      }
    }
  }

  net::WorkerPool& workers;
  collector::CollectorMetrics& metrics;
  const Clock& clock;
  Options options;
  net::Timer sweep;
  std::set<std::shared_ptr<QueryTicket>> tickets;
};

QueryGate::QueryGate(net::Loop& loop, net::WorkerPool& workers,
                     collector::CollectorMetrics& metrics, const Clock& clock, Options options)
    : impl_(std::make_shared<Impl>(loop, workers, metrics, clock, options)) {}

QueryGate::~QueryGate() {
  for (const auto& ticket : impl_->tickets) ticket->stop_ = true;
}

server::RequestHandler QueryGate::Admit(QueryHandle handle) {
  return [impl = impl_.get(), handle = std::move(handle)](
             http::Request request, server::Responder respond, server::Cancelled client_gone) {
    impl->Start(handle, std::move(request), std::move(respond), std::move(client_gone));
  };
}

}  // namespace dunlin::api
