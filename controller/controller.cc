#include "controller/controller.h"

#include <unistd.h>

#include <chrono>
#include <utility>

#include "controller/api/api.h"
#include "controller/api/gate.h"
#include "controller/controller_metrics.h"
#include "controller/drivers/local_driver.h"
#include "controller/watch/observer.h"
#include "protocol/base/text.h"
#include "protocol/metrics/registry.h"
#include "protocol/net/worker_pool.h"
#include "protocol/server/http_server.h"

namespace dunlin::controller {
namespace {

using namespace std::chrono_literals;

/// For one exchange with an agent: it is on this machine and answers in milliseconds or not at all.
constexpr std::chrono::milliseconds kAgentTimeout = 2s;

/// Separate, so that silent agents hold up neither the API nor the rollouts of others.
constexpr std::size_t kApiThreads = 4;
constexpr std::size_t kWatchThreads = 4;
/// Each active rollout occupies at most one; the rest serves the queue.
constexpr std::size_t kSpareRolloutThreads = 2;

Result<void> CheckProgram(const std::string& path, std::string_view what, std::string_view cure) {
  if (::access(path.c_str(), X_OK) == 0) return {};
  return Error(ErrorCode::kNotFound, Join("cannot execute ", what, " at ", path, "; ", cure));
}

}  // namespace

struct Controller::Impl {
  Impl(net::Loop& loop, ControllerOptions options, std::unique_ptr<Store> opened,
       const Clock& clock)
      : store(std::move(opened)),
        driver(PosixFileSystem(), {.directory = options.data + "/containers",
                                   .agent = options.agent,
                                   .keeper = options.keeper,
                                   .collector = options.collector,
                                   .agent_port = options.agent_port,
                                   .tls_ca = options.tls.ca,
                                   .tls_cert = options.agent_tls_cert,
                                   .tls_key = options.agent_tls_key}),
        observer(driver, AgentClient(options.agent_port, kAgentTimeout, options.tls)),
        performer(*store, driver, observer),
        api_workers(std::make_unique<net::WorkerPool>(loop, kApiThreads)),
        rollout_workers(std::make_unique<net::WorkerPool>(
            loop,
            static_cast<std::size_t>(options.store.max_active_deployments) + kSpareRolloutThreads)),
        watch_workers(std::make_unique<net::WorkerPool>(loop, kWatchThreads)),
        conductor(loop, *rollout_workers, *store, performer, clock, options.conductor),
        watcher(loop, *watch_workers, *store, driver, performer, observer, options.watcher),
        controller_metrics(registry, conductor, watcher),
        api(loop, *api_workers, *store, registry,
            {.agent_port = options.agent_port,
             .agents_use_tls = !options.tls.ca.empty(),
             .collector_url = options.collector_url}),
        gate(api.router(), options.token) {
    conductor.on_change = [this](const DeploymentId& id) { api.OnChange(id); };
    conductor.on_finished = [this](std::string_view outcome, std::string_view reason) {
      controller_metrics.CountDeploy(outcome, reason);
    };
    api.on_accepted = [this] { conductor.Wake(); };
    api.on_stop = [this](DeploymentRecord deployment) { conductor.Adopt(std::move(deployment)); };
  }

  ~Impl() {
    server.reset();
    // Workers first: what they run uses everything else. Their completions no longer come.
    api_workers.reset();
    rollout_workers.reset();
    watch_workers.reset();
  }

  std::unique_ptr<Store> store;
  LocalDriver driver;
  Observer observer;
  Performer performer;
  metrics::Registry registry;
  std::unique_ptr<net::WorkerPool> api_workers;
  std::unique_ptr<net::WorkerPool> rollout_workers;
  std::unique_ptr<net::WorkerPool> watch_workers;
  Conductor conductor;
  Watcher watcher;
  ControllerMetrics controller_metrics;
  Api api;
  Gate gate;
  std::unique_ptr<server::HttpServer> server;
};

Controller::Controller(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Controller::~Controller() = default;

Result<std::unique_ptr<Controller>> Controller::Start(net::Loop& loop, ControllerOptions options,
                                                      const Clock& clock) {
  if (auto there = CheckProgram(options.agent, "the agent", "give its path with --agent"); !there) {
    return std::move(there).error();
  }
  auto there = CheckProgram(options.keeper, "dunlin-keeper", "install it beside this program");
  if (!there) return std::move(there).error();
  auto store = Store::Open(PosixFileSystem(), options.data, clock, options.store);
  if (!store) return std::move(store).error();
  const net::HostPort address = options.http;
  auto impl = std::make_unique<Impl>(loop, std::move(options), std::move(*store), clock);
  auto server = server::HttpServer::Listen(
      loop, address, {},
      [gate = &impl->gate](http::Request request, server::Responder respond,
                           server::Cancelled cancelled) {
        gate->Handle(std::move(request), std::move(respond), std::move(cancelled));
      });
  if (!server) return std::move(server).error();
  impl->server = std::move(*server);
  impl->conductor.Start();
  impl->watcher.Start();
  return std::unique_ptr<Controller>(new Controller(std::move(impl)));
}

net::HostPort Controller::local_address() const { return impl_->server->local_address(); }

void Controller::SetToken(std::string token) { impl_->gate.SetToken(std::move(token)); }

}  // namespace dunlin::controller
