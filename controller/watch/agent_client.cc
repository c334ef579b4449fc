#include "controller/watch/agent_client.h"

#include <simdjson.h>

#include <utility>

#include "protocol/base/text.h"
#include "protocol/base/units.h"
#include "protocol/net/address.h"

namespace dunlin::controller {
namespace {

constexpr std::size_t kMaxAnswerBytes = 1_MiB;

std::optional<AgentStatus::State> StateOf(std::string_view name) {
  if (name == "starting") return AgentStatus::State::kStarting;
  if (name == "running") return AgentStatus::State::kRunning;
  if (name == "stopping") return AgentStatus::State::kStopping;
  if (name == "backing-off") return AgentStatus::State::kBackingOff;
  if (name == "exited") return AgentStatus::State::kExited;
  return std::nullopt;
}

}  // namespace

Result<AgentStatus> ParseAgentStatus(std::string_view json) {
  auto wrong = [](std::string_view what) {
    return Error(ErrorCode::kCorruption, Join("this is not an agent's status: ", what));
  };
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (auto error = parser.parse(json.data(), json.size()).get(root)) {
    return wrong(simdjson::error_message(error));
  }
  AgentStatus status;
  std::string_view text;
  if (root["container"].get(text)) return wrong("it has no container");
  status.container = text;
  if (root["state"].get(text)) return wrong("it has no state");
  auto state = StateOf(text);
  if (!state) return wrong(Join("unknown state ", text));
  status.state = *state;
  if (root["ready"].get(status.ready)) return wrong("it does not say whether it is ready");
  std::int64_t number = 0;
  if (!root["restarts"].get(number)) status.restarts = static_cast<unsigned>(number);
  simdjson::dom::element last_exit;
  if (!root["last_exit"].get(last_exit) && last_exit.is_object()) {
    if (!last_exit["code"].get(number)) status.exit_code = static_cast<int>(number);
    if (!last_exit["signal"].get(number) && number != 0) {
      status.signal = static_cast<int>(number);
      status.exit_code.reset();
    }
  }
  return status;
}

Result<http::Response> AgentClient::Ask(std::string method, const std::string& address,
                                        std::string_view target) const {
  ClientRequest request;
  request.method = std::move(method);
  const std::string place = net::HostPort{address, port_}.ToString();
  if (tls_.ca.empty()) {
    request.url = Join("http://", place, target);
  } else {
    request.url = Join("https://", kAgentTlsName, ":", port_, target);
    request.connect_to = place;
    request.tls = tls_;
  }
  request.connect_timeout = timeout_;
  request.timeout = timeout_;
  request.max_body_bytes = kMaxAnswerBytes;
  auto response = Send(request);
  if (!response) return std::move(response).error().Wrap(Join("agent at ", place));
  if (response->status < 200 || response->status > 299) {
    return Error(ErrorCode::kUnavailable, Join(request.method, " ", target, " of the agent at ",
                                               place, " answered ", response->status));
  }
  return response;
}

Result<AgentStatus> AgentClient::Status(const std::string& address) const {
  auto response = Ask("GET", address, "/v1/status");
  if (!response) return std::move(response).error();
  return ParseAgentStatus(response->body);
}

Result<void> AgentClient::Stop(const std::string& address, std::chrono::nanoseconds grace) const {
  auto response = Ask("POST", address, Join("/v1/stop?grace=", FormatDuration(grace)));
  if (!response) return std::move(response).error();
  return {};
}

Result<std::vector<std::string>> AgentClient::LastLines(const std::string& address,
                                                        std::size_t count) const {
  auto response = Ask("GET", address, Join("/v1/logs/tail?n=", count));
  if (!response) return std::move(response).error();
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array array;
  if (parser.parse(response->body).get(root) || root["lines"].get(array)) {
    return Error(ErrorCode::kCorruption, "the agent's last lines are not understood");
  }
  std::vector<std::string> lines;
  for (simdjson::dom::element item : array) {
    std::string_view line;
    if (!item["line"].get(line)) lines.emplace_back(line);
  }
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<long>(count));
  return lines;
}

}  // namespace dunlin::controller
