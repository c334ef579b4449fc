#include "agent/flags.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include "agent/command_words.h"
#include "agent/signal_name.h"
#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Result<void> SetText(std::string& into, std::string_view value) {
  if (value.empty()) return Invalid("must not be empty");
  into = value;
  return {};
}

Result<void> SetBool(bool& into, std::string_view value, std::string_view yes,
                     std::string_view no) {
  if (value != yes && value != no) return Invalid(Join("must be ", yes, " or ", no));
  into = value == yes;
  return {};
}

Result<void> SetSize(std::size_t& into, std::string_view value, std::uint64_t least,
                     std::uint64_t most) {
  auto size = ParseSize(value);
  if (!size) return std::move(size).error();
  if (*size < least || *size > most) {
    return Invalid(Join("must be between ", FormatSize(least), " and ", FormatSize(most)));
  }
  into = *size;
  return {};
}

Result<void> SetNumber(unsigned& into, std::string_view value, unsigned least, unsigned most) {
  auto number = ParseInteger<unsigned>(value);
  if (!number || *number < least || *number > most) {
    return Invalid(Join("must be a number from ", least, " to ", most));
  }
  into = *number;
  return {};
}

template <typename T>
struct Word {
  std::string_view name;
  T value;
};

template <typename T>
Result<void> SetWord(T& into, std::string_view value, std::initializer_list<Word<T>> words) {
  std::string names;
  for (const Word<T>& word : words) {
    if (word.name == value) {
      into = word.value;
      return {};
    }
    names += Join(names.empty() ? "" : ", ", word.name);
  }
  return Invalid(Join("must be one of ", names));
}

Result<void> SetDuration(std::chrono::nanoseconds& into, std::string_view value,
                         std::chrono::nanoseconds least, std::chrono::nanoseconds most) {
  auto duration = ParseDuration(value);
  if (!duration) return std::move(duration).error();
  if (*duration < least || *duration > most) {
    return Invalid(Join("must be between ", FormatDuration(least), " and ", FormatDuration(most)));
  }
  into = *duration;
  return {};
}

Result<void> SetCollectors(Configuration& c, std::string_view value) {
  c.collectors.clear();
  for (std::string_view part : Split(value, ',')) {
    auto address = net::HostPort::Parse(Trim(part));
    if (!address) return std::move(address).error();
    if (address->host.empty()) return Invalid("a collector needs a host, as in 10.0.0.5:18889");
    c.collectors.push_back(std::move(*address));
  }
  return {};
}

Result<void> AddLabel(Configuration& c, std::string_view value) {
  std::size_t equals = value.find('=');
  if (equals == std::string_view::npos) return Invalid("must be NAME=VALUE");
  std::string_view name = value.substr(0, equals);
  if (!IsValidLabelName(name)) {
    return Invalid(Join("\"", name, "\" is not a label name ([a-zA-Z_][a-zA-Z0-9_]*)"));
  }
  static constexpr std::array<std::string_view, 7> kReserved{
      "project", "service", "service_name", "deployment", "container", "output", "host"};
  if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end()) {
    return Invalid(Join("the label ", name, " is set by the agent itself"));
  }
  c.labels.Set(name, value.substr(equals + 1));
  return {};
}

Result<void> SetListen(Configuration& c, std::string_view value) {
  if (value == "off") {
    c.listen.reset();
    return {};
  }
  auto address = net::HostPort::Parse(value);
  if (!address) return std::move(address).error();
  c.listen = std::move(*address);
  return {};
}

Result<void> SetSignal(int& into, std::string_view value) {
  auto signal = ParseSignal(value);
  if (!signal) return Invalid("is not a signal, as in TERM or 15");
  into = *signal;
  return {};
}

Result<void> AddSignalRewrite(Configuration& c, std::string_view value) {
  const std::size_t equals = value.find('=');
  if (equals == std::string_view::npos) return Invalid("must be FROM=TO, as in TERM=QUIT");
  SignalRewrite rewrite{};
  if (auto set = SetSignal(rewrite.from, value.substr(0, equals)); !set) return set;
  if (std::string_view to = value.substr(equals + 1); to != "none") {
    if (auto set = SetSignal(rewrite.to.emplace(), to); !set) return set;
  }
  c.signal_rewrites.push_back(rewrite);
  return {};
}

Result<void> AddExitRemap(Configuration& c, std::string_view value) {
  const std::size_t equals = value.find('=');
  auto from = ParseInteger<std::uint8_t>(value.substr(0, equals));
  auto to = equals == std::string_view::npos ? std::nullopt
                                             : ParseInteger<std::uint8_t>(value.substr(equals + 1));
  if (!from || !to) return Invalid("must be FROM=TO with codes of 0 to 255, as in 143=0");
  c.exit_remaps.push_back({*from, *to});
  return {};
}

Result<void> SetCommand(std::vector<std::string>& into, std::string_view value) {
  auto words = SplitCommandWords(value);
  if (!words) return std::move(words).error();
  into = std::move(*words);
  return {};
}

Result<void> SetProbe(ProbeConfiguration& into, std::string_view value) {
  auto target = ParseProbeTarget(value);
  if (!target) return std::move(target).error();
  into.target = std::move(*target);
  return {};
}

Result<void> SetFailures(ProbeConfiguration& into, std::string_view value) {
  return SetNumber(into.failures.emplace(), value, 1, 1000);
}

Result<void> SetRateLimit(Configuration& c, std::string_view value) {
  if (!value.ends_with("/s")) return Invalid("must be a size a second, as in 1MiB/s");
  auto size = ParseSize(value.substr(0, value.size() - 2));
  if (!size) return std::move(size).error();
  if (*size < 1_KiB) return Invalid("must be at least 1KiB/s");
  c.rate_limit = *size;
  return {};
}

Result<void> SetUser(Configuration& c, std::string_view value) {
  // Names are not looked up: an image without /etc/passwd is as good as any.
  auto ids = Split(value, ':');
  auto uid = ParseInteger<uid_t>(ids[0]);
  auto gid = ids.size() == 2 ? ParseInteger<gid_t>(ids[1]) : uid;
  if (ids.size() > 2 || !uid || !gid) {
    return Invalid("must be UID or UID:GID in decimal, as in 1000:1000");
  }
  c.user = Configuration::User{*uid, *gid};
  return {};
}

Result<void> SetPeriod(std::chrono::nanoseconds& into, std::string_view value) {
  return SetDuration(into, value, milliseconds(0), hours(24));
}

Result<void> SetInterval(std::chrono::nanoseconds& into, std::string_view value) {
  return SetDuration(into, value, milliseconds(1), hours(24));
}

constexpr Flag kFlags[] = {
    {"--collector", "HOST:PORT[,...]", "none",
     "where logs go; several are tried in order (without one: capture and pass through only)",
     SetCollectors},
    {"--project", "NAME", "default", "project that the logs belong to",
     [](Configuration& c, std::string_view v) { return SetText(c.project, v); }},
    {"--service", "NAME", "command", "service label; the command's base name unless given",
     [](Configuration& c, std::string_view v) { return SetText(c.service, v); }},
    {"--deployment", "NAME", "none", "deployment label",
     [](Configuration& c, std::string_view v) { return SetText(c.deployment, v); }},
    {"--container", "NAME", "host name", "container label",
     [](Configuration& c, std::string_view v) { return SetText(c.container, v); }},
    {"--label", "NAME=VALUE", "", "further stream label (repeat; environment: comma-separated)",
     AddLabel, [](Configuration& c) { c.labels = {}; }},
    {"--listen", "ADDR|off", "127.0.0.1:18888", "control, health and metrics over HTTP", SetListen},
    {"--insecure", "", "",
     "listen on any address without a token; with --tls-cert, send without --tls-ca",
     [](Configuration& c, std::string_view v) { return SetBool(c.insecure, v, "on", "off"); }},
    {"--token-file", "FILE", "none",
     "token for the collector and for the control listener; or in DUNLIN_TOKEN",
     [](Configuration& c, std::string_view v) { return SetText(c.token_file, v); }},
    {"--metrics-token-file", "FILE", "none", "token that may only read metrics and status",
     [](Configuration& c, std::string_view v) { return SetText(c.metrics_token_file, v); }},
    {"--tls-ca", "FILE", "none", "certificates (PEM) that sign those of collectors and clients",
     [](Configuration& c, std::string_view v) { return SetText(c.tls_ca, v); }},
    {"--tls-cert", "FILE", "none", "the agent's own certificate (PEM)",
     [](Configuration& c, std::string_view v) { return SetText(c.tls_cert, v); }},
    {"--tls-key", "FILE", "none", "the key of that certificate (PEM)",
     [](Configuration& c, std::string_view v) { return SetText(c.tls_key, v); }},
    {"--memory-limit", "SIZE", "4MiB",
     "memory for lines not yet acknowledged: compressed batches and the one being filled",
     [](Configuration& c, std::string_view v) { return SetSize(c.memory_limit, v, 1_MiB, 4_GiB); }},
    {"--when-full", "drop-oldest|block", "drop-oldest",
     "past the memory limit: drop with a gap marker, or stop reading the process's output",
     [](Configuration& c, std::string_view v) {
       bool block = false;
       auto set = SetBool(block, v, "block", "drop-oldest");
       c.when_full = block ? shipper::WhenFull::kBlock : shipper::WhenFull::kDropOldest;
       return set;
     }},
    {"--spool", "DIR", "none", "keep unacknowledged batches on disk, too: they survive the agent",
     [](Configuration& c, std::string_view v) { return SetText(c.spool, v); }},
    {"--spool-limit", "SIZE", "256MiB", "of one agent's files in the spool",
     [](Configuration& c, std::string_view v) {
       return SetSize(c.spool_limit, v, 1_MiB, 1024 * 1_GiB);
     }},
    {"--spool-max-age", "DURATION", "0", "unsent lines on disk are dropped at this age; 0 is never",
     [](Configuration& c, std::string_view v) {
       return SetDuration(c.spool_max_age, v, milliseconds(0), hours(24 * 365));
     }},
    {"--spool-sync", "never|interval|batch", "interval",
     "what a power failure may cost: all the kernel holds, a second, or one write",
     [](Configuration& c, std::string_view v) {
       return SetWord(c.spool_sync, v,
                      {{"never", shipper::SpoolSync::kNever},
                       {"interval", shipper::SpoolSync::kInterval},
                       {"batch", shipper::SpoolSync::kBatch}});
     }},
    {"--batch-bytes", "SIZE", "128KiB", "a batch is sent at this size before compression",
     [](Configuration& c, std::string_view v) { return SetSize(c.batch_bytes, v, 4_KiB, 1_MiB); }},
    {"--batch-age", "DURATION", "1s", "a batch is sent at this age",
     [](Configuration& c, std::string_view v) {
       return SetDuration(c.batch_age, v, milliseconds(1), minutes(1));
     }},
    {"--max-connection-age", "DURATION", "10m",
     "a connection to the collector is replaced, drained, by this age; 0 is never",
     [](Configuration& c, std::string_view v) {
       return SetDuration(c.max_connection_age, v, milliseconds(0), hours(24 * 7));
     }},
    {"--passthrough", "on|off", "on", "copy the output to the agent's own stdout and stderr",
     [](Configuration& c, std::string_view v) { return SetBool(c.passthrough, v, "on", "off"); }},
    {"--merge-outputs", "", "", "one pipe for stdout and stderr, keeping their order",
     [](Configuration& c, std::string_view v) { return SetBool(c.merge_outputs, v, "on", "off"); }},
    {"--stop-signal", "SIGNAL", "TERM", "what the process gets when it is to stop",
     [](Configuration& c, std::string_view v) { return SetSignal(c.stop_signal, v); }},
    {"--stop-grace", "DURATION", "10s",
     "what the runtime waits between its stop signal and SIGKILL; the process gets most of it",
     [](Configuration& c, std::string_view v) {
       return SetDuration(c.stop_grace, v, milliseconds(0), hours(24));
     }},
    {"--stop-mode", "group|leader", "group",
     "who gets the stop signal: the process group, or the process alone",
     [](Configuration& c, std::string_view v) {
       return SetWord(c.stop_mode, v, {{"group", StopMode::kGroup}, {"leader", StopMode::kLeader}});
     }},
    {"--wait-for-all", "on|off", "on",
     "after the process, wait for its descendants, too, within the grace",
     [](Configuration& c, std::string_view v) { return SetBool(c.wait_for_all, v, "on", "off"); }},
    {"--rewrite-signal", "FROM=TO|none", "",
     "pass a signal on as another one, or not at all (repeat)", AddSignalRewrite,
     [](Configuration& c) { c.signal_rewrites.clear(); }},
    {"--remap-exit", "FROM=TO", "", "end with TO where the process ended with FROM (repeat)",
     AddExitRemap, [](Configuration& c) { c.exit_remaps.clear(); }},
    {"--parent-death", "SIGNAL", "none",
     "what the agent gets when its own parent dies (not as process 1)",
     [](Configuration& c, std::string_view v) { return SetSignal(c.parent_death.emplace(), v); }},
    {"--restart", "never|on-failure|always", "never", "start the process again when it has ended",
     [](Configuration& c, std::string_view v) {
       return SetWord(c.restart.policy, v,
                      {{"never", Restart::kNever},
                       {"on-failure", Restart::kOnFailure},
                       {"always", Restart::kAlways}});
     }},
    {"--restart-delay", "DURATION", "500ms",
     "before the first restart; doubles with each one that follows",
     [](Configuration& c, std::string_view v) {
       return SetDuration(c.restart.delay, v, milliseconds(1), hours(1));
     }},
    {"--restart-max-delay", "DURATION", "30s", "where the doubling ends",
     [](Configuration& c, std::string_view v) {
       return SetDuration(c.restart.max_delay, v, milliseconds(1), hours(24));
     }},
    {"--restart-limit", "N", "10", "restarts within the window before giving up; 0 is any number",
     [](Configuration& c, std::string_view v) {
       return SetNumber(c.restart.limit, v, 0, 1'000'000);
     }},
    {"--restart-window", "DURATION", "10m", "the time in which restarts are counted",
     [](Configuration& c, std::string_view v) {
       return SetDuration(c.restart.window, v, milliseconds(1), hours(24));
     }},
    {"--pre-start", "COMMAND", "none",
     "run to its end before each start of the process (words, no shell)",
     [](Configuration& c, std::string_view v) { return SetCommand(c.pre_start, v); }},
    {"--post-stop", "COMMAND", "none", "run after the process has ended for good",
     [](Configuration& c, std::string_view v) { return SetCommand(c.post_stop, v); }},
    {"--hook-timeout", "DURATION", "10s", "the time that each of those two has",
     [](Configuration& c, std::string_view v) {
       return SetDuration(c.hook_timeout, v, milliseconds(1), hours(24));
     }},
    {"--stdin", "inherit|pipe", "inherit",
     "the process's input: the agent's own, or lines from the control listener",
     [](Configuration& c, std::string_view v) {
       return SetWord(c.standard_input, v,
                      {{"inherit", StandardInput::kInherit}, {"pipe", StandardInput::kPipe}});
     }},
    {"--ready", "TARGET", "none",
     "readiness probe: http://…, tcp://HOST:PORT, exec:COMMAND, log:REGEX",
     [](Configuration& c, std::string_view v) { return SetProbe(c.ready, v); }},
    {"--ready-start-period", "DURATION", "0s", "failures before this do not count",
     [](Configuration& c, std::string_view v) { return SetPeriod(c.ready.start_period, v); }},
    {"--ready-interval", "DURATION", "1s", "between probes",
     [](Configuration& c, std::string_view v) { return SetInterval(c.ready.interval, v); }},
    {"--ready-timeout", "DURATION", "1s", "the time that one probe has",
     [](Configuration& c, std::string_view v) { return SetInterval(c.ready.timeout, v); }},
    {"--ready-failures", "N", "3", "failures in a row that make it not ready",
     [](Configuration& c, std::string_view v) { return SetFailures(c.ready, v); }},
    {"--ready-successes", "N", "1", "successes in a row that make it ready",
     [](Configuration& c, std::string_view v) { return SetNumber(c.ready.successes, v, 1, 1000); }},
    {"--live", "TARGET", "none", "liveness probe, as for --ready",
     [](Configuration& c, std::string_view v) { return SetProbe(c.live, v); }},
    {"--live-start-period", "DURATION", "0s", "failures before this do not count",
     [](Configuration& c, std::string_view v) { return SetPeriod(c.live.start_period, v); }},
    {"--live-interval", "DURATION", "10s", "between probes",
     [](Configuration& c, std::string_view v) { return SetInterval(c.live.interval, v); }},
    {"--live-timeout", "DURATION", "1s", "the time that one probe has",
     [](Configuration& c, std::string_view v) { return SetInterval(c.live.timeout, v); }},
    {"--live-failures", "N", "3, log: 1", "failures in a row that are acted on",
     [](Configuration& c, std::string_view v) { return SetFailures(c.live, v); }},
    {"--live-action", "none|restart|exit", "exit",
     "what a dead process gets: nothing but a report, a restart, or the stop plan",
     [](Configuration& c, std::string_view v) {
       return SetWord(c.live_action, v,
                      {{"none", LiveAction::kNone},
                       {"restart", LiveAction::kRestart},
                       {"exit", LiveAction::kExit}});
     }},
    {"--rate-limit", "SIZE/s", "none", "output beyond it is dropped, counted and marked",
     SetRateLimit},
    {"--user", "UID[:GID]", "the agent's", "user and group of the process, in decimal", SetUser},
};

}  // namespace

std::span<const Flag> AllFlags() { return kFlags; }

}  // namespace dunlin::agent
