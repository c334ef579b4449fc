#include <algorithm>

#include "controller/cli/commands.h"
#include "controller/cli/deploy_body.h"
#include "controller/cli/deployment_view.h"
#include "controller/cli/render.h"
#include "protocol/base/random.h"
#include "protocol/base/text.h"

namespace dunlin::cli {
namespace {

using namespace std::chrono_literals;

constexpr int kAttempts = 3;  // to hand the deployment over
constexpr std::chrono::nanoseconds kRetryPause = 400ms;
constexpr std::chrono::nanoseconds kPollPause = 150ms;
/// A controller that is being restarted is waited for; the deployment goes on with it.
constexpr std::chrono::nanoseconds kMaxAway = 60s;

/// Hands the deployment over. Tries again under the same idempotency key, so that a lost answer
/// does not deploy twice.
std::variant<http::Response, Failure> Submit(const Context& context, const DeployCommand& command) {
  controller::ClientRequest request;
  request.method = "PUT";
  request.headers = {{"Content-Type", "application/json"},
                     {"Idempotency-Key", ToHex(NewRandomId())}};
  request.body = DeployBody(command);
  std::string path =
      Join("/deploys/", http::EncodePercent(command.service), ProjectParameter(command.project));
  for (int attempt = 1;; ++attempt) {
    auto asked = Ask(context, Server::kController, path, request);
    auto* failure = std::get_if<Failure>(&asked);
    if (failure == nullptr || !failure->transient || attempt == kAttempts) return asked;
    if (!context.pause(kRetryPause)) return asked;
  }
}

std::string HowToLook(const DeployCommand& command) {
  return Join("dunlin status ", command.service,
              command.project.empty() ? "" : Join(" --project ", command.project));
}

/// Shows a deployment's steps as they come and waits for its outcome.
class Wait {
 public:
  Wait(const Context& context, const DeployCommand& command, DeploymentView deployment)
      : context_(context), command_(command), deployment_(std::move(deployment)) {}

  ExitStatus Run(std::string document) {
    SteadyTime deadline = context_.clock.Steady() + command_.timeout;
    while (!decided()) {
      auto left = deadline - context_.clock.Steady();
      if (left <= 0ns) return TimedOut(document);
      auto failure = Poll(left, document);
      if (failure) return Report(context_, *failure);
    }
    if (context_.common.json) {
      context_.terminal.Print(DocumentLine(document));
    } else {
      ShowNewEvents();
      context_.terminal.Print(RenderOutcome(context_.terminal, deployment_));
    }
    if (deployment_.outcome == "HEALTHY") return ExitStatus::kOk;
    return deployment_.outcome == "FAILED" ? ExitStatus::kFailed : ExitStatus::kCancelled;
  }

 private:
  bool decided() const {
    return !deployment_.outcome.empty() || deployment_.status == "SUPERSEDED";
  }

  /// One long poll, short enough to show steps as they come. Answers what makes waiting senseless.
  std::optional<Failure> Poll(std::chrono::nanoseconds left, std::string& document) {
    SteadyTime asked_at = context_.clock.Steady();
    auto longest = context_.common.json ? 20s : 1s;
    auto wait = std::min(longest, std::chrono::ceil<std::chrono::seconds>(left));
    controller::ClientRequest request;
    request.timeout = wait + 10s;
    auto asked = Ask(context_, Server::kController,
                     Join("/deployments/", deployment_.id, "?wait=", wait.count()), request);
    if (auto* failure = std::get_if<Failure>(&asked)) return Away(*failure, asked_at);
    if (away_since_) context_.terminal.PrintError("dunlin: the controller answers again\n");
    away_since_.reset();
    document = std::get<http::Response>(asked).body;
    auto parsed = ParseDeployment(document);
    if (!parsed) return Failure{ExitStatus::kFailed, parsed.error().message(), "", false};
    deployment_ = *std::move(parsed);
    if (decided()) return std::nullopt;
    if (!context_.common.json) ShowNewEvents();
    // An answer before its time, as from a controller that shuts down: no tight loop.
    if (context_.clock.Steady() - asked_at < kPollPause) context_.pause(kPollPause);
    return std::nullopt;
  }

  std::optional<Failure> Away(const Failure& failure, SteadyTime now) {
    if (!failure.transient) return failure;
    if (!away_since_) {
      away_since_ = now;
      context_.terminal.PrintError(Join("dunlin: ", failure.message, "\n  Trying again.\n"));
    }
    if (now - *away_since_ > kMaxAway) {
      Failure given_up = failure;
      given_up.message += Join("\n  Deployment ", deployment_.id,
                               " goes on once the controller is back: ", HowToLook(command_));
      return given_up;
    }
    context_.pause(kRetryPause);
    return std::nullopt;
  }

  /// Progress is worth showing but not worth failing for.
  void ShowNewEvents() {
    auto asked = Ask(context_, Server::kController,
                     Join("/deployments/", deployment_.id, "/events?after=", last_event_));
    auto* response = std::get_if<http::Response>(&asked);
    if (response == nullptr) return;
    auto events = ParseEvents(response->body);
    if (!events) return;
    for (const EventView& event : *events) {
      last_event_ = std::max(last_event_, event.sequence);
      auto since = event.time && deployment_.created ? *event.time - *deployment_.created : 0ns;
      context_.terminal.Print(RenderEvent(context_.terminal, event, since));
    }
  }

  ExitStatus TimedOut(const std::string& document) {
    if (context_.common.json) context_.terminal.Print(DocumentLine(document));
    context_.terminal.PrintError(Join("dunlin: ", deployment_.service, " #", deployment_.number,
                                      " is still ", deployment_.status,
                                      " and goes on: ", HowToLook(command_), "\n"));
    return ExitStatus::kTimedOut;
  }

  const Context& context_;
  const DeployCommand& command_;
  DeploymentView deployment_;
  std::int64_t last_event_ = 0;
  std::optional<SteadyTime> away_since_;
};

}  // namespace

ExitStatus RunDeploy(const Context& context, const DeployCommand& command) {
  auto submitted = Submit(context, command);
  if (auto* failure = std::get_if<Failure>(&submitted)) return Report(context, *failure);
  std::string& document = std::get<http::Response>(submitted).body;
  auto deployment = ParseDeployment(document);
  if (!deployment) {
    return Report(context, {ExitStatus::kFailed, deployment.error().message(), "", false});
  }
  std::string name = Join(deployment->service, " #", deployment->number);
  if (!command.wait) {
    context.terminal.Print(context.common.json ? DocumentLine(document)
                                               : Join(name, " (", deployment->id, ") is accepted: ",
                                                      HowToLook(command), " shows how it goes\n"));
    return ExitStatus::kOk;
  }
  if (!context.common.json) context.terminal.Print(Join(name, " (", deployment->id, ")\n"));
  context.on_interrupt(Join("\ndunlin: ", name,
                            " goes on without this command: ", HowToLook(command), " shows how\n"));
  ExitStatus status = Wait(context, command, *std::move(deployment)).Run(std::move(document));
  context.on_interrupt("");
  return status;
}

}  // namespace dunlin::cli
