#pragma once

#include <functional>
#include <string>

#include "collector/ingest/agent_directory.h"
#include "protocol/base/clock.h"
#include "protocol/metrics/registry.h"
#include "protocol/net/worker_pool.h"
#include "protocol/server/router.h"

namespace dunlin::api {

/// What the status pages are made of; all outlive the router.
struct StatusServices {
  const metrics::Registry& registry;
  const ingest::AgentDirectory& agents;
  const Clock& clock;
  net::WorkerPool& workers;
  /// Why the collector cannot serve now, or an empty string. Loop thread.
  std::function<std::string()> not_ready;
};

/// GET /healthz, /readyz and Loki's /ready, /metrics, /metrics/agents.
void AddStatusRoutes(server::Router& router, StatusServices services);

}  // namespace dunlin::api
