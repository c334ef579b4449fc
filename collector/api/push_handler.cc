#include "collector/api/push_handler.h"

#include <cstring>
#include <optional>
#include <utility>

#include "collector/api/compression.h"
#include "collector/ingest/entry_codec.h"
#include "protocol/base/checksum.h"
#include "protocol/base/text.h"

namespace dunlin::api {
namespace {

using collector::Protocol;

constexpr std::string_view kRetryAfterSeconds = "5";

/// 128 bits that tell one body from another; two independent 64-bit hashes.
RandomId ContentHash(std::string_view body) {
  RandomId hash{};
  std::uint64_t halves[2] = {Checksum(body, 1), Checksum(body, 2)};
  static_assert(sizeof halves == sizeof(RandomId));
  std::memcpy(hash.data(), halves, sizeof halves);
  return hash;
}

bool IsJson(std::string_view content_type) {
  return EqualsIgnoreCase(Trim(content_type.substr(0, content_type.find(';'))), "application/json");
}

http::Response TryAgain(int status, const std::string& reason) {
  http::Response response = http::Response::Text(status, reason + "\n");
  response.headers.Set("Retry-After", kRetryAfterSeconds);
  return response;
}

http::Response AnswerOfBody(const Error& error) {
  int status = 400;
  if (error.code() == ErrorCode::kUnsupported) status = 415;
  if (error.code() == ErrorCode::kExhausted) status = 413;
  return http::Response::Text(status, error.message() + "\n");
}

/// What is temporary is never 400 or 500: senders drop data on those.
http::Response AnswerOfStore(const Error& error) {
  return TryAgain(error.code() == ErrorCode::kExhausted ? 429 : 503, error.message());
}

std::string RejectionText(const ingest::DecodedPush& push) {
  std::uint64_t rejected = push.rejected_entries();
  return Join(push.first_fault, " (", rejected, " of ", rejected + push.entries,
              " entries ignored)\n");
}

http::Response AnswerOfStored(const std::string& rejection) {
  if (!rejection.empty()) return http::Response::Text(400, rejection);
  http::Response response;
  response.status = 204;
  return response;
}

}  // namespace

struct PushHandler::Impl : std::enable_shared_from_this<PushHandler::Impl> {
  Impl(net::Loop& the_loop, net::WorkerPool& worker_pool, store::Store& the_store,
       collector::CollectorMetrics& the_metrics, const Clock& the_clock, PushOptions the_options)
      : loop(the_loop),
        workers(worker_pool),
        store(the_store),
        metrics(the_metrics),
        clock(the_clock),
        options(the_options) {}

  /// One body on its way; passed from loop to worker to store thread and back.
  struct Push {
    http::Request request;
    server::Responder respond;
    std::size_t received_bytes = 0;
  };

  void Handle(http::Request request, server::Responder respond) {
    if (!IsJson(request.headers.Get("Content-Type"))) {
      respond(http::Response::Text(
          415,
          "this collector takes Loki push as application/json (gzip or deflate if you like); "
          "protobuf with snappy is not supported: configure the sender for JSON\n"));
      return;
    }
    if (pending_bytes + request.body.size() > options.max_pending_bytes) {
      respond(TryAgain(429, "too much is waiting to be stored"));
      return;
    }
    auto push = std::make_shared<Push>();
    push->received_bytes = request.body.size();
    push->request = std::move(request);
    push->respond = std::move(respond);
    pending_bytes += push->received_bytes;
    workers.Submit([self = shared_from_this(), push] { self->Decode(push); }, nullptr);
  }

  /// On a worker.
  void Decode(const std::shared_ptr<Push>& push) {
    auto body = DecodedBody(push->request, options.max_body_bytes);
    if (!body) return Answer(push, AnswerOfBody(body.error()));
    push->request.body = {};
    auto decoded = ingest::DecodeLokiPushJson(*body, clock.Now(), options.limits);
    if (!decoded) return Answer(push, AnswerOfBody(decoded.error()));
    std::string rejection;
    if (!decoded->rejected.empty()) rejection = RejectionText(*decoded);
    for (const auto& rejected : decoded->rejected) {
      metrics.CountRejected(Protocol::kLokiPush, rejected.reason, rejected.entries);
    }
    if (decoded->entries == 0) return Answer(push, AnswerOfStored(rejection));

    store::AppendRequest append;
    append.content_hash = ContentHash(*body);
    append.payload_format = static_cast<std::uint32_t>(ingest::PayloadFormat::kEntries);
    append.payload = std::move(decoded->payload);
    auto rows = ingest::DecodeEntries(append.payload);
    Check(rows.has_value(), "entries just encoded cannot be decoded");
    append.rows = std::move(*rows);
    // The last reference to a responder has to go on the loop thread, so it is passed on, not kept.
    store.Append(std::move(append),
                 [self = shared_from_this(), mine = push, rejection, entries = decoded->entries,
                  bytes = decoded->line_bytes](Result<store::AppendOutcome> outcome) mutable {
                   if (!outcome) {
                     return self->Answer(std::move(mine), AnswerOfStore(outcome.error()));
                   }
                   if (*outcome == store::AppendOutcome::kStored) {
                     self->metrics.CountIngested(Protocol::kLokiPush, entries, bytes);
                   }
                   self->Answer(std::move(mine), AnswerOfStored(rejection));
                 });
  }

  /// Any thread.
  void Answer(std::shared_ptr<Push> push, http::Response response) {
    auto answer = std::make_shared<http::Response>(std::move(response));
    loop.Post([self = shared_from_this(), push = std::move(push), answer] {
      self->pending_bytes -= push->received_bytes;
      if (!self->closed) push->respond(std::move(*answer));
    });
  }

  net::Loop& loop;
  net::WorkerPool& workers;
  store::Store& store;
  collector::CollectorMetrics& metrics;
  const Clock& clock;
  PushOptions options;
  std::uint64_t pending_bytes = 0;  // loop thread
  bool closed = false;              // loop thread
};

PushHandler::PushHandler(net::Loop& loop, net::WorkerPool& workers, store::Store& store,
                         collector::CollectorMetrics& metrics, const Clock& clock,
                         PushOptions options)
    : impl_(std::make_shared<Impl>(loop, workers, store, metrics, clock, options)) {}

PushHandler::~PushHandler() { impl_->closed = true; }

void PushHandler::Handle(http::Request request, server::Responder respond) {
  impl_->Handle(std::move(request), std::move(respond));
}

}  // namespace dunlin::api
