#include "collector/api/loki_api.h"

#include <string>
#include <utility>

#include "protocol/base/json_writer.h"

namespace dunlin::api {
namespace {

/// Consumers compare `version` to learn what they may use: the Loki whose API this is.
std::string BuildInfoJson() {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Field("version", "3.0.0");
  json.Field("revision", "");
  json.Field("branch", "");
  json.Field("buildUser", "");
  json.Field("buildDate", "");
  json.Field("goVersion", "");
  json.Field("dunlinVersion", DUNLIN_VERSION);
  json.EndObject();
  return out;
}

}  // namespace

LokiApi::LokiApi(const LokiApiOptions& options, Services services)
    : queries_(
          {services.store, services.metrics, services.clock, options.max_entries, options.limits}),
      gate_(services.loop, services.query_workers, services.metrics, services.clock, options.gate),
      push_(services.loop, services.ingest_workers, services.store, services.metrics,
            services.clock, options.push) {}

void LokiApi::AddRoutes(server::Router& router) {
  using Member = http::Response (QueryHandlers::*)(const http::Request&, const QueryTicket&) const;
  auto read = [&](std::string_view pattern, Member member) {
    server::RequestHandler handler =
        gate_.Admit([this, member](const http::Request& request, const QueryTicket& ticket) {
          return (queries_.*member)(request, ticket);
        });
    router.Async("GET", pattern, handler);
    router.Async("POST", pattern, handler);
  };
  read("/loki/api/v1/query_range", &QueryHandlers::QueryRange);
  read("/loki/api/v1/query", &QueryHandlers::Query);
  read("/loki/api/v1/labels", &QueryHandlers::Labels);
  read("/loki/api/v1/label", &QueryHandlers::Labels);
  read("/loki/api/v1/label/{name}/values", &QueryHandlers::LabelValues);
  read("/loki/api/v1/series", &QueryHandlers::Series);
  read("/loki/api/v1/index/stats", &QueryHandlers::IndexStats);
  read("/loki/api/v1/format_query", &QueryHandlers::FormatQuery);

  router.Async("POST", "/loki/api/v1/push",
               [this](http::Request request, server::Responder respond, server::Cancelled) {
                 push_.Handle(std::move(request), std::move(respond));
               });
  router.OnLoop("GET", "/loki/api/v1/status/buildinfo",
                [](const http::Request&, const server::Cancelled&) {
                  return http::Response::Json(200, BuildInfoJson());
                });
}

}  // namespace dunlin::api
