#include "controller/api/api.h"

#include <memory>
#include <optional>
#include <utility>

#include "controller/api/deploy_request.h"
#include "controller/api/documents.h"
#include "controller/api/parameters.h"
#include "controller/api/problem.h"
#include "protocol/base/text.h"

namespace dunlin::controller {
namespace {

constexpr std::int64_t kDefaultHistory = 20;
constexpr std::int64_t kMaxHistory = 200;

std::string RequestId(const http::Request& request) {
  return std::string(request.headers.Get(kRequestIdHeader));
}

http::Response Refuse(const http::Request& request, const Problem& problem) {
  return ProblemResponse(problem, RequestId(request));
}

http::Response DeploymentAnswer(const DeploymentRecord& deployment, bool created) {
  bool decided = !OutcomeName(deployment.state.status).empty();
  auto response =
      http::Response::Json(created && !decided ? 202 : 200, DeploymentDocument(deployment));
  if (created) response.headers.Set("Location", Join("/deployments/", deployment.id.text()));
  return response;
}

}  // namespace

Api::Api(net::Loop& loop, net::WorkerPool& workers, Store& store, metrics::Registry& registry,
         ApiOptions options)
    : workers_(workers),
      store_(store),
      options_(std::move(options)),
      http_metrics_(registry),
      polls_(loop, workers, store) {
  AddHealth(registry);
  AddDeployments();
  AddServices();
  AddDiscovery();
  AddCollectorRedirects();
  router_.on_answer = [this](std::string_view pattern, const http::Request& request, int status,
                             double seconds) {
    http_metrics_.Observe(pattern, request, status, seconds);
  };
}

void Api::AddHealth(metrics::Registry& registry) {
  router_.OnLoop("GET", "/healthz", [](const http::Request&, const server::Cancelled&) {
    return http::Response::Text(200, "ok\n");
  });
  router_.OnWorker(
      "GET", "/readyz",
      [this](const http::Request& request, const server::Cancelled&) {
        if (auto writable = store_.CheckWritable(); !writable) {
          return Refuse(
              request,
              {503, "not_ready", "the state cannot be stored: " + writable.error().message(), {}});
        }
        return http::Response::Text(200, "ready\n");
      },
      workers_);
  router_.OnLoop("GET", "/metrics", [&registry](const http::Request&, const server::Cancelled&) {
    return registry.Answer();
  });
}

void Api::AddDeployments() {
  router_.Async(
      "PUT", "/deploys/{service}",
      [this](http::Request request, server::Responder respond, server::Cancelled cancelled) {
        PutDeploy(std::move(request), std::move(respond), std::move(cancelled));
      });
  router_.Async(
      "GET", "/deployments/{id}",
      [this](http::Request request, server::Responder respond, server::Cancelled cancelled) {
        GetDeployment(request, std::move(respond), std::move(cancelled));
      });
  router_.OnWorker(
      "GET", "/deploys/{service}",
      [this](const http::Request& request, const server::Cancelled&) {
        auto project = ReadProject(request);
        if (auto* problem = std::get_if<Problem>(&project)) return Refuse(request, *problem);
        auto limit = ReadNumber(request, "limit", kDefaultHistory, 1, kMaxHistory);
        if (auto* problem = std::get_if<Problem>(&limit)) return Refuse(request, *problem);
        auto cursor = ReadNumber(request, "cursor", INT64_MAX, 1, INT64_MAX);
        if (auto* problem = std::get_if<Problem>(&cursor)) return Refuse(request, *problem);
        std::string service(request.path_values.Get("service"));
        auto rows = std::get<std::int64_t>(limit);
        auto history = store_.History(std::get<std::string>(project), service, rows + 1,
                                      std::get<std::int64_t>(cursor));
        if (!history) return StorageUnavailable(history.error(), RequestId(request));
        if (!*history) {
          return Refuse(request, ServiceNotFound(service, std::get<std::string>(project)));
        }
        bool more = std::cmp_greater((*history)->size(), rows);
        if (more) (*history)->pop_back();
        return http::Response::Json(200, HistoryDocument(**history, more));
      },
      workers_);
  router_.OnWorker(
      "GET", "/deployments/{id}/events",
      [this](const http::Request& request, const server::Cancelled&) {
        auto after = ReadNumber(request, "after", 0, 0, INT64_MAX);
        if (auto* problem = std::get_if<Problem>(&after)) return Refuse(request, *problem);
        DeploymentId id(std::string(request.path_values.Get("id")));
        auto deployment = store_.Deployment(id);
        if (!deployment) return StorageUnavailable(deployment.error(), RequestId(request));
        if (!*deployment) {
          return Refuse(
              request,
              {404, "deployment_not_found", Join("there is no deployment ", id.text()), {}});
        }
        auto events = store_.Events(id, std::get<std::int64_t>(after));
        if (!events) return StorageUnavailable(events.error(), RequestId(request));
        return http::Response::Json(200, EventsDocument(*events));
      },
      workers_);
}

void Api::PutDeploy(http::Request request, server::Responder respond, server::Cancelled cancelled) {
  struct Job {
    http::Request request;
    DeployAnswer answer;
  };
  auto wait = ReadWait(request);
  if (auto* problem = std::get_if<Problem>(&wait)) return respond(Refuse(request, *problem));
  auto job = std::make_shared<Job>(Job{std::move(request), {}});
  workers_.Submit([job, &store = store_] { job->answer = AcceptDeploy(job->request, store); },
                  [job, this, alive = std::weak_ptr<bool>(alive_),
                   wait = std::get<std::chrono::nanoseconds>(wait), respond = std::move(respond),
                   cancelled = std::move(cancelled)] {
                    if (alive.expired()) return;
                    DeployAnswer& answer = job->answer;
                    if (answer.refusal) return respond(std::move(*answer.refusal));
                    if (on_accepted) on_accepted();
                    if (!answer.superseded.empty()) OnChange(answer.superseded);
                    auto render = [replayed = answer.replayed](const DeploymentRecord& deployment) {
                      auto response = DeploymentAnswer(deployment, /*created=*/true);
                      if (replayed) response.headers.Set("Idempotency-Replayed", "true");
                      return response;
                    };
                    // Without a wait the answer is the record as it was stored, before anything has
                    // begun.
                    if (wait.count() <= 0) return respond(render(*answer.deployment));
                    polls_.Add(answer.deployment->id, wait, RequestId(job->request), respond,
                               cancelled, render);
                  });
}

void Api::GetDeployment(const http::Request& request, server::Responder respond,
                        server::Cancelled cancelled) {
  auto wait = ReadWait(request);
  if (auto* problem = std::get_if<Problem>(&wait)) return respond(Refuse(request, *problem));
  polls_.Add(DeploymentId(std::string(request.path_values.Get("id"))),
             std::get<std::chrono::nanoseconds>(wait), RequestId(request), std::move(respond),
             std::move(cancelled), [](const DeploymentRecord& deployment) {
               return DeploymentAnswer(deployment, /*created=*/false);
             });
}

void Api::PostStop(http::Request request, server::Responder respond) {
  struct Job {
    http::Request request;
    StopAnswer answer;
  };
  auto job = std::make_shared<Job>(Job{std::move(request), {}});
  workers_.Submit([job, &store = store_] { job->answer = AcceptStop(job->request, store); },
                  [job, this, alive = std::weak_ptr<bool>(alive_), respond = std::move(respond)] {
                    if (alive.expired()) return;
                    if (job->answer.begun && on_stop) on_stop(std::move(*job->answer.begun));
                    respond(std::move(job->answer.response));
                  });
}

void Api::AddServices() {
  router_.Async("POST", "/services/{service}/stop",
                [this](http::Request request, server::Responder respond, server::Cancelled) {
                  PostStop(std::move(request), std::move(respond));
                });
  router_.OnWorker(
      "GET", "/services",
      [this](const http::Request& request, const server::Cancelled&) {
        std::string project(request.Params().Get("project"));
        auto services = store_.Services(project);
        if (!services) return StorageUnavailable(services.error(), RequestId(request));
        return http::Response::Json(200, ServicesDocument(*services));
      },
      workers_);
  router_.OnWorker(
      "GET", "/services/{service}",
      [this](const http::Request& request, const server::Cancelled&) {
        auto project = ReadProject(request);
        if (auto* problem = std::get_if<Problem>(&project)) return Refuse(request, *problem);
        std::string name(request.path_values.Get("service"));
        auto service = store_.Service(std::get<std::string>(project), name);
        if (!service) return StorageUnavailable(service.error(), RequestId(request));
        if (!*service) {
          return Refuse(request, ServiceNotFound(name, std::get<std::string>(project)));
        }
        return http::Response::Json(200, ServiceDocument(**service));
      },
      workers_);
  router_.OnWorker(
      "GET", "/containers",
      [this](const http::Request& request, const server::Cancelled&) {
        auto containers = store_.LiveContainers();
        if (!containers) return StorageUnavailable(containers.error(), RequestId(request));
        return http::Response::Json(200, ContainersDocument(*containers));
      },
      workers_);
  router_.OnWorker(
      "GET", "/containers/{id}",
      [this](const http::Request& request, const server::Cancelled&) {
        ContainerId id(std::string(request.path_values.Get("id")));
        auto container = store_.Container(id);
        if (!container) return StorageUnavailable(container.error(), RequestId(request));
        if (!*container) {
          return Refuse(
              request, {404, "container_not_found", Join("there is no container ", id.text()), {}});
        }
        return http::Response::Json(200, ContainerDocument(**container));
      },
      workers_);
}

void Api::AddDiscovery() {
  router_.OnWorker(
      "GET", "/sd/prometheus",
      [this](const http::Request& request, const server::Cancelled&) {
        // An empty list makes Prometheus drop every target, an error makes it keep them.
        auto containers = store_.LiveContainers();
        if (!containers) return StorageUnavailable(containers.error(), RequestId(request));
        // Exactly this type: Prometheus refuses the list otherwise.
        http::Response response;
        response.headers.Set("Content-Type", "application/json");
        response.body = TargetsDocument(*containers, options_.agent_port, options_.agents_use_tls);
        return response;
      },
      workers_);
}

void Api::AddCollectorRedirects() {
  auto redirect = [this](const http::Request& request, const server::Cancelled&) {
    if (options_.collector_url.empty()) {
      return Refuse(request, {502,
                              "collector_unavailable",
                              "logs are the collector's; start the controller with --collector-url "
                              "to be sent there",
                              {}});
    }
    http::Response response;
    response.status = 307;
    response.headers.Set("Location", options_.collector_url + request.target);
    return response;
  };
  router_.OnLoop("GET", "/search/logs", redirect);
  router_.OnLoop("POST", "/logs/ingest", redirect);
}

}  // namespace dunlin::controller
