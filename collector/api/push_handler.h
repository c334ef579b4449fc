#pragma once

#include <cstdint>
#include <memory>

#include "collector/ingest/loki_push.h"
#include "collector/metrics/collector_metrics.h"
#include "collector/store/store.h"
#include "protocol/base/clock.h"
#include "protocol/http/message.h"
#include "protocol/net/loop.h"
#include "protocol/net/worker_pool.h"
#include "protocol/server/http_server.h"

namespace dunlin::api {

struct PushOptions {
  ingest::PushLimits limits;
  std::size_t max_body_bytes = 64_MiB;       // after Content-Encoding
  std::uint64_t max_pending_bytes = 64_MiB;  // of bodies being stored, as received
};

/// POST /loki/api/v1/push, JSON. Answers 204 once everything is durable; 400 when some or all of it
/// is refused for good, with what is good stored; 429 or 503 with Retry-After when it should be
/// sent again. A body sent again within ten minutes is stored once. Loop thread only.
class PushHandler {
 public:
  /// What is passed by reference outlives the handler.
  PushHandler(net::Loop& loop, net::WorkerPool& workers, store::Store& store,
              collector::CollectorMetrics& metrics, const Clock& clock, PushOptions options);
  ~PushHandler();
  PushHandler(const PushHandler&) = delete;
  PushHandler& operator=(const PushHandler&) = delete;

  void Handle(http::Request request, server::Responder respond);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace dunlin::api
