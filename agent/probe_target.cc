#include "agent/probe_target.h"

#include <array>
#include <utility>

#include "agent/command_words.h"
#include "agent/probe_pattern.h"
#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

constexpr std::string_view kForms =
    "must be http://HOST:PORT/PATH, tcp://HOST:PORT, exec:COMMAND or log:REGEX";

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Result<net::HostPort> ParseAddress(std::string_view text) {
  auto address = net::HostPort::Parse(text);
  if (address && address->port == 0) return Invalid("nothing can be reached at port 0");
  return address;
}

/// HOST[:PORT] of a URL: port 80 unless given (RFC 9110 section 4.2.1).
Result<net::HostPort> ParseAuthority(std::string_view text) {
  if (text.find('@') != std::string_view::npos) {
    return Invalid("a probe sends no user name or password");
  }
  const bool has_port = text.rfind(':') != std::string_view::npos && !text.ends_with(']');
  if (!has_port && text.empty()) return Invalid("there is neither a host nor a port");
  return ParseAddress(has_port ? std::string(text) : Join(text, ":80"));
}

Result<ProbeTarget> ParseHttp(std::string_view text) {
  const std::size_t authority_size = std::min(text.find_first_of("/?#"), text.size());
  auto address = ParseAuthority(text.substr(0, authority_size));
  if (!address) return std::move(address).error();
  std::string path(text.substr(authority_size));
  for (char c : path) {
    if (c <= ' ' || c > '~') return Invalid("a path has visible ASCII only: escape others as %20");
  }
  if (path.find('#') != std::string::npos) return Invalid("a # part is never sent to a server");
  if (!path.starts_with('/')) path.insert(path.begin(), '/');
  return ProbeTarget(HttpTarget{std::move(*address), std::move(path)});
}

Result<ProbeTarget> ParseTcp(std::string_view text) {
  auto address = ParseAddress(text);
  if (!address) return std::move(address).error();
  return ProbeTarget(TcpTarget{std::move(*address)});
}

Result<ProbeTarget> ParseExec(std::string_view text) {
  auto words = SplitCommandWords(text);
  if (!words) return std::move(words).error();
  return ProbeTarget(ExecTarget{std::move(*words)});
}

Result<ProbeTarget> ParseLog(std::string_view text) {
  if (text.empty()) return Invalid("the pattern is empty");
  if (text.find('\n') != std::string_view::npos) return Invalid("no line has a newline in it");
  if (auto pattern = LinePattern::Compile(text); !pattern) return std::move(pattern).error();
  return ProbeTarget(LogTarget{std::string(text)});
}

struct Form {
  std::string_view prefix;
  Result<ProbeTarget> (*parse)(std::string_view rest);
};

/// In the order of the variant.
constexpr std::array<Form, 4> kTargets{
    {{"http://", ParseHttp}, {"tcp://", ParseTcp}, {"exec:", ParseExec}, {"log:", ParseLog}}};

}  // namespace

Result<ProbeTarget> ParseProbeTarget(std::string_view text) {
  for (const Form& form : kTargets) {
    if (text.starts_with(form.prefix)) return form.parse(text.substr(form.prefix.size()));
  }
  if (text.starts_with("https://")) {
    return Invalid("probes speak plain HTTP; for https:// give a program, as in exec:COMMAND");
  }
  return Invalid(std::string(kForms));
}

std::string_view ProbeKind(const ProbeTarget& target) {
  std::string_view prefix = kTargets[target.index()].prefix;
  return prefix.substr(0, prefix.find(':'));
}

}  // namespace dunlin::agent
