#include "controller/api/deploy_request.h"

#include <utility>

#include "controller/api/documents.h"
#include "controller/api/parameters.h"
#include "controller/api/problem.h"
#include "protocol/base/checksum.h"
#include "protocol/base/text.h"

namespace dunlin::controller {
namespace {

/// What a repeated request must have in common with the first: everything that it asks for.
std::string RequestHash(std::string_view project, std::string_view service, std::string_view body) {
  std::string text = Join(project, '\0', service, '\0', body);
  return Join(Checksum(text));
}

bool IsJson(std::string_view content_type) {
  std::string type = ToLowerAscii(Trim(content_type.substr(0, content_type.find(';'))));
  return type.empty() || type == "application/json" || type.ends_with("+json");
}

Problem InvalidSpec(std::vector<FieldError> errors, bool malformed) {
  std::string detail = errors.front().detail;
  if (!errors.front().field.empty()) detail = Join(errors.front().field, ": ", detail);
  if (errors.size() > 1) detail += Join(" (and ", errors.size() - 1, " more)");
  return {malformed ? 400 : 422, malformed ? "malformed_json" : "invalid_spec", std::move(detail),
          std::move(errors)};
}

Problem VerdictProblem(Acceptance acceptance, const std::string& service,
                       const std::string& project) {
  switch (acceptance.verdict) {
    case Acceptance::Verdict::kNotFound:
      return ServiceNotFound(service, project);
    case Acceptance::Verdict::kInvalid:
      return InvalidSpec(std::move(acceptance.errors), /*malformed=*/false);
    case Acceptance::Verdict::kInProgress:
      return {409,
              "deploy_in_progress",
              Join("deployment ", acceptance.deployment.text(), " of ", service, " is under way"),
              {}};
    case Acceptance::Verdict::kKeyReused:
      return {422,
              "idempotency_key_reused",
              Join("this Idempotency-Key stands for another request, which made deployment ",
                   acceptance.deployment.text()),
              {}};
    case Acceptance::Verdict::kAccepted:
    case Acceptance::Verdict::kReplayed:
      break;
  }
  return {500, "internal", "a deployment was accepted and refused at once", {}};
}

}  // namespace

DeployAnswer AcceptDeploy(const http::Request& request, Store& store) {
  const std::string request_id(request.headers.Get(kRequestIdHeader));
  auto refuse = [&request_id](const Problem& problem) {
    return DeployAnswer{ProblemResponse(problem, request_id), {}, {}, false};
  };
  const std::string service(request.path_values.Get("service"));
  auto project = ReadProject(request);
  if (auto* problem = std::get_if<Problem>(&project)) return refuse(*problem);
  const std::string& project_name = std::get<std::string>(project);
  if (!IsValidName(service)) {
    return refuse(
        InvalidSpec({{"service", "invalid_name",
                      "a name is 1 to 38 of a-z, 0-9 and -, not beginning or ending with -"}},
                    /*malformed=*/false));
  }
  if (!request.body.empty() && !IsJson(request.headers.Get("Content-Type"))) {
    return refuse(
        {415, "unsupported_media_type", "send the spec as Content-Type: application/json", {}});
  }
  auto key = ReadIdempotencyKey(request);
  if (auto* problem = std::get_if<Problem>(&key)) return refuse(*problem);
  ParsedDeployRequest parsed = ParseDeployRequest(request.body);
  if (!parsed.errors.empty()) {
    return refuse(InvalidSpec(std::move(parsed.errors), parsed.malformed));
  }

  auto accepted =
      store.Accept(project_name, service, parsed.request,
                   {std::get<std::string>(key), RequestHash(project_name, service, request.body)});
  if (!accepted) return {StorageUnavailable(accepted.error(), request_id), {}, {}, false};
  bool replayed = accepted->verdict == Acceptance::Verdict::kReplayed;
  if (accepted->verdict != Acceptance::Verdict::kAccepted && !replayed) {
    return refuse(VerdictProblem(std::move(*accepted), service, project_name));
  }
  if (!accepted->record) {
    return refuse({500, "internal", "the deployment that was stored is gone", {}});
  }
  return {std::nullopt, std::move(*accepted->record), accepted->superseded, replayed};
}

StopAnswer AcceptStop(const http::Request& request, Store& store) {
  const std::string request_id(request.headers.Get(kRequestIdHeader));
  const std::string service(request.path_values.Get("service"));
  auto project = ReadProject(request);
  if (auto* problem = std::get_if<Problem>(&project)) {
    return {ProblemResponse(*problem, request_id), std::nullopt};
  }
  const std::string& project_name = std::get<std::string>(project);
  auto accepted = store.Stop(project_name, service);
  if (!accepted) return {StorageUnavailable(accepted.error(), request_id), std::nullopt};
  switch (accepted->verdict) {
    case StopAcceptance::Verdict::kAccepted: {
      auto response = http::Response::Json(202, DeploymentDocument(*accepted->deployment));
      return {std::move(response), std::move(accepted->deployment)};
    }
    case StopAcceptance::Verdict::kNotRunning: {
      auto known = store.Service(project_name, service);
      if (!known) return {StorageUnavailable(known.error(), request_id), std::nullopt};
      if (*known) return {http::Response::Json(200, ServiceDocument(**known)), std::nullopt};
      break;
    }
    case StopAcceptance::Verdict::kInProgress:
      return {ProblemResponse({409,
                               "deploy_in_progress",
                               Join("deployment ", accepted->deployment->id.text(), " of ", service,
                                    " is under way"),
                               {}},
                              request_id),
              std::nullopt};
    case StopAcceptance::Verdict::kNotFound:
      break;
  }
  return {ProblemResponse(ServiceNotFound(service, project_name), request_id), std::nullopt};
}

}  // namespace dunlin::controller
