#pragma once

#include <memory>

#include "collector/api/push_handler.h"
#include "collector/api/query_gate.h"
#include "collector/api/query_handlers.h"
#include "collector/metrics/collector_metrics.h"
#include "collector/store/store.h"
#include "protocol/base/clock.h"
#include "protocol/net/loop.h"
#include "protocol/net/worker_pool.h"
#include "protocol/server/router.h"

namespace dunlin::api {

struct LokiApiOptions {
  std::size_t max_entries = 5000;
  logql::EvaluationLimits limits;
  QueryGate::Options gate;
  PushOptions push;
};

/// Loki's read and push API (docs/http-api.md) on a router. Loop thread only; outlives the router's
/// use.
class LokiApi {
 public:
  struct Services {
    net::Loop& loop;
    net::WorkerPool& query_workers;
    net::WorkerPool& ingest_workers;
    store::Store& store;
    collector::CollectorMetrics& metrics;
    const Clock& clock;
  };

  LokiApi(const LokiApiOptions& options, Services services);

  void AddRoutes(server::Router& router);

 private:
  QueryHandlers queries_;
  QueryGate gate_;
  PushHandler push_;
};

}  // namespace dunlin::api
