#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/net/address.h"

namespace dunlin::agent {

struct HttpTarget {
  net::HostPort address;
  std::string path;  // with its query; what the request asks for
  friend bool operator==(const HttpTarget&, const HttpTarget&) = default;
};

struct TcpTarget {
  net::HostPort address;
  friend bool operator==(const TcpTarget&, const TcpTarget&) = default;
};

struct ExecTarget {
  std::vector<std::string> command;
  friend bool operator==(const ExecTarget&, const ExecTarget&) = default;
};

struct LogTarget {
  std::string pattern;  // LinePattern::Compile takes it
  friend bool operator==(const LogTarget&, const LogTarget&) = default;
};

/// What a probe asks: the value of --ready and --live.
using ProbeTarget = std::variant<HttpTarget, TcpTarget, ExecTarget, LogTarget>;

/// Reads http://HOST[:PORT][/PATH], tcp://HOST:PORT, exec:COMMAND (words, no shell) or log:REGEX.
/// A host left out is this one. Errors: kInvalidArgument with what would be right.
Result<ProbeTarget> ParseProbeTarget(std::string_view text);

/// "http", "tcp", "exec" or "log".
std::string_view ProbeKind(const ProbeTarget& target);

}  // namespace dunlin::agent
