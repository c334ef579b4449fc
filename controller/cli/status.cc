#include "controller/cli/commands.h"
#include "controller/cli/deployment_view.h"
#include "controller/cli/render.h"
#include "protocol/base/text.h"

namespace dunlin::cli {

ExitStatus RunStatus(const Context& context, const StatusCommand& command) {
  std::string path = command.service.empty()
                         ? "/services"
                         : Join("/deploys/", http::EncodePercent(command.service));
  auto asked = Ask(context, Server::kController, path + ProjectParameter(command.project));
  if (auto* failure = std::get_if<Failure>(&asked)) return Report(context, *failure);
  const std::string& body = std::get<http::Response>(asked).body;
  if (context.common.json) {
    context.terminal.Print(DocumentLine(body));
    return ExitStatus::kOk;
  }
  auto unreadable = [&](const Error& error) {
    return Report(context, {ExitStatus::kFailed, error.message(), "", false});
  };
  LogTime now = context.clock.Now();
  if (command.service.empty()) {
    auto services = ParseServices(body);
    if (!services) return unreadable(services.error());
    context.terminal.Print(RenderServices(context.terminal, *services, now));
  } else {
    auto deployments = ParseDeployments(body);
    if (!deployments) return unreadable(deployments.error());
    context.terminal.Print(RenderDeployments(context.terminal, *deployments, now));
  }
  return ExitStatus::kOk;
}

}  // namespace dunlin::cli
