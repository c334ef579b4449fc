#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>

#include "controller/api/gate.h"
#include "controller/controller.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/config/program_options.h"
#include "protocol/net/loop.h"
#include "protocol/net/signals.h"

namespace dunlin::controller {
namespace {

constexpr int kFailure = 1;
constexpr int kUsageError = 2;

struct Flags {
  std::string data;
  std::string http = "127.0.0.1:18880";
  std::string agent;
  std::string collector;
  std::string collector_url;
  std::string token_file;
  std::string tls_ca;
  std::string tls_cert;
  std::string tls_key;
  std::string agent_tls_cert;
  std::string agent_tls_key;
  bool insecure = false;
};

int Report(const Error& error, int status) {
  std::fprintf(stderr, "dunlin-controller: %s\n", error.message().c_str());
  return status;
}

/// A program in the folder of this one.
std::string Beside(const char* name) {
  std::error_code error;
  auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / name).string();
}

std::string Absolute(const std::string& path) {
  std::error_code error;
  auto absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

/// TLS between the controller and its agents takes all five files, so that none of the ways is
/// plain by mistake.
Result<void> SetTls(const Flags& flags, ControllerOptions& options) {
  const std::tuple<std::string_view, const std::string*, std::string*> files[] = {
      {"--tls-ca", &flags.tls_ca, &options.tls.ca},
      {"--tls-cert", &flags.tls_cert, &options.tls.certificate},
      {"--tls-key", &flags.tls_key, &options.tls.key},
      {"--agent-tls-cert", &flags.agent_tls_cert, &options.agent_tls_cert},
      {"--agent-tls-key", &flags.agent_tls_key, &options.agent_tls_key}};
  const bool any =
      std::ranges::any_of(files, [](const auto& file) { return !std::get<1>(file)->empty(); });
  if (!any) return {};
  for (const auto& [flag, given, path] : files) {
    if (given->empty()) {
      return Error(ErrorCode::kInvalidArgument,
                   Join("TLS with agents takes --tls-ca, --tls-cert, --tls-key, --agent-tls-cert "
                        "and --agent-tls-key together: ",
                        flag, " is missing"));
    }
    *path = Absolute(*given);
    if (::access(path->c_str(), R_OK) != 0) {
      return ErrnoError(errno, Join(flag, " ", *path, " cannot be read"));
    }
  }
  return {};
}

Result<ControllerOptions> OptionsOf(const Flags& flags) {
  ControllerOptions options;
  auto http = net::HostPort::Parse(flags.http);
  if (!http) return std::move(http).error().Wrap("--http");
  options.http = *http;
  if (!flags.token_file.empty()) {
    auto token = ReadTokenFile(flags.token_file);
    if (!token) return std::move(token).error().Wrap("--token-file");
    options.token = std::move(*token);
  }
  if (!options.http.is_loopback() && options.token.empty() && !flags.insecure) {
    return Error(ErrorCode::kInvalidArgument,
                 Join("--http ", flags.http,
                      " can be reached from other machines: give --token-file FILE, listen on "
                      "127.0.0.1, or accept that anybody may deploy with --insecure"));
  }
  if (auto set = SetTls(flags, options); !set) return std::move(set).error();
  options.data = Absolute(flags.data);
  while (options.data.size() > 1 && options.data.back() == '/') options.data.pop_back();
  options.agent = flags.agent.empty() ? Beside("dunlin-agent") : Absolute(flags.agent);
  options.keeper = Beside("dunlin-keeper");
  options.collector = flags.collector;
  options.collector_url = flags.collector_url;
  while (options.collector_url.ends_with('/')) options.collector_url.pop_back();
  return options;
}

void ReloadToken(const Flags& flags, Controller& controller) {
  if (flags.token_file.empty()) return;
  auto token = ReadTokenFile(flags.token_file);
  if (!token) {
    log::Fail("the token is kept as it was", {{"cause", token.error().message()}});
    return;
  }
  controller.SetToken(std::move(*token));
  log::Info("token read again", {{"file", flags.token_file}});
}

int Run(int argc, char** argv) {
  log::SetProgram("dunlin-controller");
  Flags flags;
  config::ProgramOptions program("dunlin-controller",
                                 "Deploys services: starts new versions, verifies them, stops old "
                                 "ones. Restarting it leaves them running.");
  program.AddRequired("data", &flags.data, "folder for the state and the containers");
  program.Add("http", &flags.http, "address of the REST API");
  program.Add("agent", &flags.agent,
              "the agent's binary (default: dunlin-agent beside this program)");
  program.Add("collector", &flags.collector, "HOST:PORT[,...] to which agents send logs");
  program.Add("collector-url", &flags.collector_url,
              "URL of the collector's HTTP API, to which log searches are sent on");
  program.Add("token-file", &flags.token_file,
              "file with the token that requests must carry (Authorization: Bearer)");
  program.Add("tls-ca", &flags.tls_ca,
              "certificates (PEM) that sign those of agents, of this program and of collectors: "
              "agents then speak TLS");
  program.Add("tls-cert", &flags.tls_cert,
              "certificate (PEM) with the role controller, shown to agents");
  program.Add("tls-key", &flags.tls_key, "the key of that certificate");
  program.Add("agent-tls-cert", &flags.agent_tls_cert,
              "certificate (PEM) with the role agent, good for localhost, for the agents");
  program.Add("agent-tls-key", &flags.agent_tls_key, "the key of that certificate");
  program.Add("insecure", &flags.insecure, "listen on any address without a token");
  if (auto status = program.Parse(argc, argv)) return *status;
  auto options = OptionsOf(flags);
  if (!options) return Report(options.error(), kUsageError);
  if (!options->http.is_loopback() && options->token.empty()) {
    log::Warn("anybody who reaches this address may deploy", {{"http", flags.http}});
  }

  net::Loop loop;
  auto controller = Controller::Start(loop, std::move(*options), SystemClock());
  if (!controller) return Report(controller.error(), kFailure);
  auto stop = [&loop](int signal) {
    log::Info("stopping; containers run on", {{"signal", signal}});
    loop.Stop();
  };
  net::SignalWatcher on_term(loop, SIGTERM, stop);
  net::SignalWatcher on_int(loop, SIGINT, stop);
  net::SignalWatcher on_hup(loop, SIGHUP, [&](int) { ReloadToken(flags, **controller); });
  log::Info("listening",
            {{"http", (*controller)->local_address().ToString()}, {"version", DUNLIN_VERSION}});
  loop.Run();
  return 0;
}

}  // namespace
}  // namespace dunlin::controller

int main(int argc, char** argv) { return dunlin::controller::Run(argc, argv); }
