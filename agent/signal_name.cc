#include "agent/signal_name.h"

#include <csignal>
#include <utility>

#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

constexpr std::pair<std::string_view, int> kNames[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},       {"QUIT", SIGQUIT}, {"ILL", SIGILL},
    {"TRAP", SIGTRAP}, {"ABRT", SIGABRT},     {"BUS", SIGBUS},   {"FPE", SIGFPE},
    {"KILL", SIGKILL}, {"USR1", SIGUSR1},     {"SEGV", SIGSEGV}, {"USR2", SIGUSR2},
    {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},     {"TERM", SIGTERM}, {"STKFLT", SIGSTKFLT},
    {"CHLD", SIGCHLD}, {"CONT", SIGCONT},     {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},
    {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},     {"URG", SIGURG},   {"XCPU", SIGXCPU},
    {"XFSZ", SIGXFSZ}, {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"WINCH", SIGWINCH},
    {"IO", SIGIO},     {"PWR", SIGPWR},       {"SYS", SIGSYS}};

}  // namespace

std::optional<int> ParseSignal(std::string_view text) {
  if (auto number = ParseInteger<int>(text)) {
    if (*number < 1 || *number > SIGRTMAX) return std::nullopt;
    return number;
  }
  if (text.starts_with("SIG")) text.remove_prefix(3);
  for (auto [name, signal] : kNames) {
    if (name == text) return signal;
  }
  if (text == "RTMIN") return SIGRTMIN;
  if (text == "RTMAX") return SIGRTMAX;
  if (text.starts_with("RTMIN+")) {
    auto offset = ParseInteger<int>(text.substr(6));
    if (offset && *offset >= 0 && SIGRTMIN + *offset <= SIGRTMAX) return SIGRTMIN + *offset;
  }
  return std::nullopt;
}

std::string SignalName(int signal) {
  for (auto [name, number] : kNames) {
    if (number == signal) return std::string(name);
  }
  if (signal == SIGRTMIN) return "RTMIN";
  if (signal > SIGRTMIN && signal <= SIGRTMAX) return Join("RTMIN+", signal - SIGRTMIN);
  return Join(signal);
}

}  // namespace dunlin::agent
