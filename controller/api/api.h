#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "controller/api/long_polls.h"
#include "controller/state/store.h"
#include "protocol/metrics/http_metrics.h"
#include "protocol/metrics/registry.h"
#include "protocol/net/loop.h"
#include "protocol/net/worker_pool.h"
#include "protocol/server/router.h"

namespace dunlin::controller {

struct ApiOptions {
  std::uint16_t agent_port = 18888;
  bool agents_use_tls = false;
  std::string collector_url;  // where log searches are sent on to; empty: nowhere
};

/// The REST API: docs/controller.md lists its routes, documents and error codes. Handlers run on
/// workers and talk to the store alone, so the API answers whatever state agents, drivers and the
/// collector are in. Loop thread only.
class Api {
 public:
  Api(net::Loop& loop, net::WorkerPool& workers, Store& store, metrics::Registry& registry,
      ApiOptions options);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  const server::Router& router() const { return router_; }
  /// To be told of each stored change, so that waiting requests are answered.
  void OnChange(const DeploymentId& id) { polls_.OnChange(id); }
  /// After each deployment that was accepted.
  std::function<void()> on_accepted;
  /// After a service's current version was marked to be stopped.
  std::function<void(DeploymentRecord)> on_stop;

 private:
  void AddHealth(metrics::Registry& registry);
  void AddDeployments();
  void AddServices();
  void AddDiscovery();
  void AddCollectorRedirects();
  void PutDeploy(http::Request request, server::Responder respond, server::Cancelled cancelled);
  void PostStop(http::Request request, server::Responder respond);
  void GetDeployment(const http::Request& request, server::Responder respond,
                     server::Cancelled cancelled);

  net::WorkerPool& workers_;
  Store& store_;
  ApiOptions options_;
  metrics::HttpMetrics http_metrics_;
  LongPolls polls_;
  server::Router router_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dunlin::controller
