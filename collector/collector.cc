#include "collector/collector.h"

#include <algorithm>
#include <utility>

#include "collector/api/authorization.h"
#include "collector/api/loki_api.h"
#include "collector/api/status_routes.h"
#include "collector/ingest/agent_directory.h"
#include "collector/ingest/agent_listener.h"
#include "collector/ingest/batch_rows.h"
#include "collector/metrics/collector_metrics.h"
#include "collector/store/store.h"
#include "protocol/base/certificate_role.h"
#include "protocol/base/file_system.h"
#include "protocol/base/log.h"
#include "protocol/base/random.h"
#include "protocol/base/text.h"
#include "protocol/metrics/http_metrics.h"
#include "protocol/metrics/registry.h"
#include "protocol/net/tls_context.h"
#include "protocol/net/worker_pool.h"
#include "protocol/server/http_server.h"
#include "protocol/server/router.h"

namespace dunlin::collector {
namespace {

using namespace std::chrono_literals;

// Decoding keeps up with a disk on one thread; the second lets a large push and an agent's batches
// pass each other. Queries spread over the store's own threads, so few of them run at once.
constexpr std::size_t kIngestThreads = 2;
constexpr std::size_t kQueryThreads = 4;
constexpr std::size_t kMaxBodyBytes = 16_MiB;

Result<std::string> ReadToken(const std::string& path) {
  if (path.empty()) return std::string();
  auto text = ReadFile(PosixFileSystem(), path);
  if (!text) return std::move(text).error().Wrap("--token-file");
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  if (text->empty()) {
    return Error(ErrorCode::kInvalidArgument, Join("--token-file: ", path, " is empty"));
  }
  return *std::move(text);
}

/// A port that others can reach has to be protected, or opened knowingly.
Result<void> CheckExposure(const CollectorOptions& options) {
  for (const auto& [flag, address] :
       {std::pair("--http", options.http), std::pair("--ingest", options.ingest)}) {
    if (address.is_loopback() || !options.token_file.empty()) continue;
    if (!options.tls_client_ca.empty()) continue;
    if (!options.insecure) {
      return Error(ErrorCode::kInvalidArgument,
                   Join(flag, " ", address.ToString(),
                        " can be reached from other machines: give --token-file FILE, or "
                        "--tls-cert, --tls-key and --tls-client-ca FILE, or --insecure to serve "
                        "everybody"));
    }
    log::Warn("unprotected_listener", {{"flag", flag}, {"address", address.ToString()}});
  }
  return {};
}

/// Of the two ports; null without TLS. One certificate, and different clients: every agent has a
/// certificate, a browser or a probe of an orchestrator has none.
struct Tls {
  std::unique_ptr<net::TlsContext> ingest;
  std::unique_ptr<net::TlsContext> http;
};

Result<Tls> MakeTls(const CollectorOptions& options) {
  Tls tls;
  if (options.tls_cert.empty()) return tls;
  const net::TlsFiles files{options.tls_client_ca, options.tls_cert, options.tls_key};
  const bool mutual = !files.ca.empty();
  constexpr std::string_view kFlags = "--tls-cert, --tls-key, --tls-client-ca";
  auto ingest = net::TlsContext::ForServer(
      files, mutual ? net::ClientCertificates::kRequired : net::ClientCertificates::kIgnored,
      std::string(mutual ? role::kAgent : ""));
  if (!ingest) return std::move(ingest).error().Wrap(kFlags);
  auto http = net::TlsContext::ForServer(
      files, mutual ? net::ClientCertificates::kOptional : net::ClientCertificates::kIgnored);
  if (!http) return std::move(http).error().Wrap(kFlags);
  tls.ingest = *std::move(ingest);
  tls.http = *std::move(http);
  return tls;
}

store::StoreOptions StoreOptionsOf(const CollectorOptions& options) {
  store::StoreOptions store;
  store.data_dir = options.data_dir;
  store.retention_age = options.retention;
  store.retention_bytes = options.retention_bytes;
  store.retention_free_bytes = options.retention_free_bytes;
  store.min_free_bytes = options.min_free_bytes;
  return store;
}

ingest::AgentDirectory::Options DirectoryOptionsOf(const CollectorOptions& options) {
  ingest::AgentDirectory::Options directory;
  // At least those that can be connected, and some that were.
  directory.max_agents = std::max<std::size_t>(directory.max_agents, options.max_agents);
  return directory;
}

api::LokiApiOptions ApiOptionsOf(const CollectorOptions& options) {
  api::LokiApiOptions api;
  api.max_entries = options.max_entries;
  api.gate.timeout = options.query_timeout;
  return api;
}

}  // namespace

// Members are in order of construction: each uses only those above it, and store and loop outlive
// every callback they were given.
struct Collector::Impl {
  Impl(net::Loop& the_loop, const CollectorOptions& options, std::string the_token, Tls the_tls,
       std::unique_ptr<store::Store> the_store)
      : loop(the_loop),
        tls(std::move(the_tls)),
        asks_for_certificates(!options.tls_client_ca.empty()),
        token_file(options.token_file),
        token(std::move(the_token)),
        metrics(registry),
        http_metrics(registry),
        agents(DirectoryOptionsOf(options)),
        store(std::move(the_store)),
        ingest_workers(loop, kIngestThreads),
        query_workers(loop, kQueryThreads),
        api(ApiOptionsOf(options),
            {loop, query_workers, ingest_workers, *store, metrics, SystemClock()}) {
    metrics::AddProcessMetrics(registry, "collector");
    AddStoreMetrics(registry, *store);
    if (tls.ingest) AddTlsMetrics(registry, *tls.ingest, *tls.http);
    AddAgentMetrics(registry, [this] { return agents.Count(SystemClock().Now()); });

    api.AddRoutes(router);
    api::AddStatusRoutes(router, {registry, agents, SystemClock(), ingest_workers,
                                  [this] { return std::string(stopping ? "stopping" : ""); }});
    router.on_answer = [this](std::string_view pattern, const http::Request& request, int status,
                              double seconds) {
      http_metrics.Observe(pattern, request, status, seconds);
    };
  }

  void OnRequest(http::Request request, server::Responder respond, server::Cancelled cancelled) {
    if (auto refusal = api::Refusal(request, {token, asks_for_certificates})) {
      http_metrics.Observe("", request, refusal->status, 0);
      respond(std::move(*refusal));
      return;
    }
    router.Route(std::move(request), std::move(respond), std::move(cancelled));
  }

  Result<void> Listen(const CollectorOptions& options) {
    ingest::AgentListenerOptions agent_options;
    agent_options.session.collector_id = NewRandomId();
    agent_options.session.token = token;
    agent_options.tls = tls.ingest.get();
    agent_options.max_connections = options.max_agents;
    auto agent_port = ingest::AgentListener::Listen(
        options.ingest, agent_options,
        {loop, ingest_workers, *store, agents, metrics, SystemClock()});
    if (!agent_port) return std::move(agent_port).error().Wrap("--ingest");

    server::HttpServerOptions http_options;
    http_options.limits.body_bytes = kMaxBodyBytes;
    http_options.tls = tls.http.get();
    auto http_port = server::HttpServer::Listen(
        loop, options.http, http_options,
        [this](http::Request request, server::Responder respond, server::Cancelled cancelled) {
          OnRequest(std::move(request), std::move(respond), std::move(cancelled));
        });
    if (!http_port) return std::move(http_port).error().Wrap("--http");
    agent_listener = std::move(*agent_port);
    http_server = std::move(*http_port);
    return {};
  }

  void Reload() {
    auto read = ReadToken(token_file);
    if (!read) {
      log::Fail("reload_failed", {{"error", read.error().message()}});
      return;
    }
    token = *std::move(read);
    agent_listener->SetToken(token);
    log::Info("reloaded", {{"token_file", token_file}});
  }

  void Stop(std::chrono::milliseconds limit, std::function<void()> stopped) {
    stopping = true;
    on_stopped = std::move(stopped);
    stop_limit.Start(limit);
    agent_listener->Drain([this] { Stopped(); });
  }

  void Stopped() {
    if (auto call = std::exchange(on_stopped, nullptr)) call();
  }

  net::Loop& loop;
  Tls tls;
  bool asks_for_certificates;
  std::string token_file;
  std::string token;
  bool stopping = false;
  std::function<void()> on_stopped;
  net::Timer stop_limit{loop, [this] { Stopped(); }};
  metrics::Registry registry;
  CollectorMetrics metrics;
  metrics::HttpMetrics http_metrics;
  ingest::AgentDirectory agents;
  std::unique_ptr<store::Store> store;
  net::WorkerPool ingest_workers;
  net::WorkerPool query_workers;
  api::LokiApi api;
  server::Router router;
  std::unique_ptr<ingest::AgentListener> agent_listener;
  std::unique_ptr<server::HttpServer> http_server;
};

Collector::Collector(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Collector::~Collector() = default;

Result<std::unique_ptr<Collector>> Collector::Start(net::Loop& loop,
                                                    const CollectorOptions& options) {
  if (auto safe = CheckExposure(options); !safe) return std::move(safe).error();
  auto token = ReadToken(options.token_file);
  if (!token) return std::move(token).error();
  auto tls = MakeTls(options);
  if (!tls) return std::move(tls).error();
  auto store = store::Store::Open(PosixFileSystem(), SystemClock(), StoreOptionsOf(options),
                                  std::make_shared<ingest::IngestPayloadDecoder>());
  if (!store) return std::move(store).error();
  auto impl =
      std::make_unique<Impl>(loop, options, *std::move(token), *std::move(tls), *std::move(store));
  if (auto listening = impl->Listen(options); !listening) return std::move(listening).error();
  return std::unique_ptr<Collector>(new Collector(std::move(impl)));
}

net::HostPort Collector::http_address() const { return impl_->http_server->local_address(); }

net::HostPort Collector::ingest_address() const { return impl_->agent_listener->local_address(); }

void Collector::Reload() { impl_->Reload(); }

void Collector::Stop(std::chrono::milliseconds limit, std::function<void()> stopped) {
  impl_->Stop(limit, std::move(stopped));
}

}  // namespace dunlin::collector
