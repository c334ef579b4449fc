#include "collector/api/status_routes.h"

#include <utility>

#include "collector/api/compression.h"

namespace dunlin::api {

void AddStatusRoutes(server::Router& router, StatusServices services) {
  router.OnLoop("GET", "/healthz", [](const http::Request&, const server::Cancelled&) {
    return http::Response::Text(200, "ok\n");
  });
  server::Handle ready = [not_ready = std::move(services.not_ready)](const http::Request&,
                                                                     const server::Cancelled&) {
    std::string reason = not_ready();
    if (!reason.empty()) return http::Response::Text(503, reason + "\n");
    return http::Response::Text(200, "ready\n");
  };
  router.OnLoop("GET", "/readyz", ready);
  router.OnLoop("GET", "/ready", ready);
  router.OnWorker(
      "GET", "/metrics",
      [&registry = services.registry](const http::Request& request, const server::Cancelled&) {
        return CompressedFor(request, registry.Answer());
      },
      services.workers);
  router.OnWorker(
      "GET", "/metrics/agents",
      [&agents = services.agents, &clock = services.clock](const http::Request& request,
                                                           const server::Cancelled&) {
        http::Response response = http::Response::Text(200, agents.Exposition(clock.Now()));
        response.headers.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
        return CompressedFor(request, std::move(response));
      },
      services.workers);
}

}  // namespace dunlin::api
