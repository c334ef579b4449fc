#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/http_client.h"
#include "protocol/base/result.h"

namespace dunlin::controller {

/// What an agent says of itself at GET /v1/status, as far as the controller uses it.
struct AgentStatus {
  enum class State { kStarting, kRunning, kStopping, kBackingOff, kExited };

  std::string container;
  State state = State::kStarting;
  bool ready = false;
  unsigned restarts = 0;
  // Of the process's last end, when it has had one:
  std::optional<int> exit_code;
  std::optional<int> signal;
};

/// Errors: kCorruption when it is not such a document.
Result<AgentStatus> ParseAgentStatus(std::string_view json);

/// Who an agent on this machine proves to be, whatever its address: one certificate does for all,
/// and which container answers is in its status.
inline constexpr std::string_view kAgentTlsName = "localhost";

/// Talks to agents over their control endpoint. Every answer is bounded in size and time, so that a
/// slow or hostile one costs a worker no more than `timeout`. Blocks; any thread.
class AgentClient {
 public:
  /// `tls`: the CA of the agents, and a certificate of the role controller; without a CA, plain
  /// HTTP.
  AgentClient(std::uint16_t port, std::chrono::milliseconds timeout, ClientTls tls = {})
      : port_(port), timeout_(timeout), tls_(std::move(tls)) {}

  /// Errors: kUnavailable, kTimeout, kCorruption.
  Result<AgentStatus> Status(const std::string& address) const;
  /// Begins the stop plan.
  Result<void> Stop(const std::string& address, std::chrono::nanoseconds grace) const;
  /// The last `count` lines of the process's output, oldest first.
  Result<std::vector<std::string>> LastLines(const std::string& address, std::size_t count) const;

 private:
  Result<http::Response> Ask(std::string method, const std::string& address,
                             std::string_view target) const;

  std::uint16_t port_;
  std::chrono::milliseconds timeout_;
  ClientTls tls_;
};

}  // namespace dunlin::controller
