#pragma once

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/net/child_process.h"
#include "protocol/net/loop.h"
#include "protocol/net/tls_context.h"
#include "tests/shipper/scripted_collector.h"

namespace dunlin::testing {

/// Memory checkers keep freed memory and pad the rest: only a build without says how much it is.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kMemoryIsReal = false;
#else
inline constexpr bool kMemoryIsReal = true;
#endif

/// The real agent as a process of its own, a collector that follows a script beside it, and what a
/// runtime does with an agent: start it, read its output, send signals, wait for its end.
class AgentRun {
 public:
  AgentRun();
  ~AgentRun();  // kills what still runs, and what that ran
  AgentRun(const AgentRun&) = delete;
  AgentRun& operator=(const AgentRun&) = delete;

  /// Flags for the next Start; by default the collector, a free port and short batches.
  std::vector<std::string> flags;
  /// What runs the agent, with its arguments; else it is run directly. See confine.cc.
  std::vector<std::string> launcher;
  std::string agent;  // path of the program, as the launcher sees it
  /// Variables beside the test's own environment.
  std::vector<std::string> variables;

  void Start(const std::vector<std::string>& command);
  /// Runs one of the verbs of workload.cc.
  void StartWorkload(const std::vector<std::string>& arguments);

  void Signal(int signal);
  void RunUntil(const std::function<bool()>& done,
                std::chrono::seconds limit = std::chrono::seconds(60));
  /// The exit code as a shell reports it.
  int Wait(std::chrono::seconds limit = std::chrono::seconds(60));
  /// After Wait: this machine could not do what the launcher was to do; says why.
  bool NotPossibleHere() const;
  /// Waits until the process has said so much on its standard output.
  void WaitForOutput(std::string_view text);

  /// One exchange with the control listener, which must be up (the collector learns its address).
  /// The whole response as text.
  std::string Http(const std::string& request_line, const std::string& headers = {},
                   const std::string& body = {});
  /// Set: exchanges are over TLS. Outlives them.
  net::TlsContext* tls = nullptr;
  /// Of the control listener, likewise up.
  net::HostPort ControlAddress();
  std::string Get(const std::string& path) { return Http("GET " + path); }
  /// The value of one sample in /metrics text; its labels as they are written, in braces.
  static double Metric(const std::string& exposition, const std::string& series);

  /// What came out of the agent's own outputs.
  std::string out;
  std::string err;
  /// False: the agent's standard output is left unread.
  bool read_output = true;

  net::Loop loop;
  ScriptedCollector collector{loop};
  pid_t pid = 0;
  std::optional<net::ExitStatus> exit;
  SteadyTime started{};
  SteadyTime ended{};

 private:
  struct Pipe;

  void Kill();

  net::Reaper reaper_;
  std::unique_ptr<Pipe> pipes_[2];
  std::vector<pid_t> orphans_;  // of an agent that was killed
};

}  // namespace dunlin::testing
