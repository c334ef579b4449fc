#include "agent/agent.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <type_traits>
#include <utility>
#include <variant>

#include "agent/metrics.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

/// How long the end waits for a reader of the agent's own output that does not read.
constexpr std::chrono::milliseconds kPassthroughPatience{500};

std::string HostName() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0) return "localhost";
  return name;
}

/// Signals with a meaning of their own for this process: not to be caught, reports of its own
/// faults, of its children, and of its own writes.
bool IsForwarded(int signal) {
  switch (signal) {
    case SIGKILL:
    case SIGSTOP:
    case SIGCHLD:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGABRT:
    case SIGTRAP:
    case SIGSYS:
    case SIGPIPE:
      return false;
    default:
      // Between 31 and SIGRTMIN lie those that the C library keeps for itself.
      return signal <= 31 || signal >= SIGRTMIN;
  }
}

shipper::ShipperOptions ShipperOptionsOf(const Configuration& configuration,
                                         const std::string& token, const RandomId& agent_id,
                                         const RandomId& boot_id) {
  shipper::ShipperOptions options;
  options.batcher.batch_bytes = configuration.batch_bytes;
  options.batcher.batch_age = configuration.batch_age;
  options.queue = {configuration.memory_limit, configuration.when_full};
  if (configuration.collectors.empty()) return options;
  shipper::SenderOptions sender;
  sender.collectors = configuration.collectors;
  sender.jitter_seed = RandomU64();
  // Half of the memory may be on its way, the other half can be dropped from.
  sender.session.window_bytes =
      std::min(sender.session.window_bytes, configuration.memory_limit / 2);
  sender.hello.agent_version = DUNLIN_VERSION;
  sender.hello.agent_id = agent_id;
  sender.hello.boot_id = boot_id;
  sender.hello.project = configuration.project;
  sender.hello.service = configuration.service;
  sender.hello.deployment = configuration.deployment;
  sender.hello.container = configuration.container;
  sender.hello.host = HostName();
  sender.hello.labels = configuration.labels;
  sender.hello.token = token;
  options.sender = std::move(sender);
  return options;
}

Configuration Completed(Configuration configuration) {
  if (configuration.container.empty()) configuration.container = HostName();
  return configuration;
}

}  // namespace

Agent::Agent(net::Loop& loop, const Clock& clock, StandardOutputs& outputs,
             Configuration configuration, std::string token)
    : loop_(loop),
      clock_(clock),
      outputs_(outputs),
      configuration_(Completed(std::move(configuration))),
      token_(std::move(token)),
      agent_started_at_(clock.Now()),
      supervisor_({configuration_.stop_signal, configuration_.stop_grace}),
      deadline_timer_(loop, [this] { Perform(supervisor_.OnTimer(clock_.Steady())); }),
      passthrough_timer_(loop,
                         [this] {
                           passthrough_given_up_ = true;
                           CheckFlushed();
                         }),
      shipper_(loop, clock, ShipperOptionsOf(configuration_, token_, agent_id_, boot_id_)),
      state_since_(agent_started_at_) {
  shipper_.SetMetrics([this] { return CollectMetrics(); });
  shipper_.on_room = [this] {
    for (auto& capture : captures_) capture->Resume();
  };
  if (!configuration_.passthrough) return;
  for (std::size_t i = 0; i < shipper::kOutputs; ++i) {
    passthrough_[i] =
        std::make_unique<Passthrough>(loop, outputs.destination(shipper::OutputAt(i)));
    passthrough_[i]->on_idle = [this] { CheckFlushed(); };
  }
}

Agent::~Agent() = default;

int Agent::Run() {
  BecomeSubreaper();
  reaper_ = std::make_unique<net::Reaper>(
      loop_, [this](pid_t pid, net::ExitStatus status) { OnReaped(pid, status); });
  // Before the process exists, so that a stop that comes at that moment is not lost: it waits in
  // the loop.
  WatchSignals();
  StartProcess();
  cgroup_.emplace();
  oom_watch_.Note(cgroup_->OomKills(), clock_.Steady());
  StartControl();
  shipper_.Start(MetricsAddress());
  if (state_ != Supervisor::State::kExited) loop_.Run();
  return exit_code_;
}

Result<void> Agent::Start() {
  return Error(ErrorCode::kUnavailable, "cannot start: there is no pause before a restart");
}

Result<void> Agent::Restart(RestartCause) {
  return Error(ErrorCode::kUnsupported, "cannot restart: this agent runs its process once");
}

Result<void> Agent::Stop(std::optional<std::chrono::nanoseconds> grace) {
  Perform(supervisor_.OnStopRequested(grace, clock_.Steady()));
  return {};
}

Result<void> Agent::Signal(int signal) {
  if (pid_ == 0) return Error(ErrorCode::kUnavailable, "cannot signal: no process runs");
  if (kill(-group_, signal) != 0) return ErrnoError(errno, Join("cannot send signal ", signal));
  return {};
}

Result<void> Agent::Command(std::string_view) {
  return Error(ErrorCode::kUnsupported,
               "cannot pass on a command: the process's input is not ours (--stdin pipe)");
}

Result<void> Agent::Drain() {
  if (pid_ == 0) return Error(ErrorCode::kUnavailable, "cannot drain: no process runs");
  draining_ = true;
  return {};
}

void Agent::BecomeSubreaper() {
  if (getpid() == 1) return;
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    log::Warn("orphans will not be reaped: cannot become a subreaper",
              {{"cause", std::strerror(errno)}});
  }
}

void Agent::WatchSignals() {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (!IsForwarded(signal)) continue;
    signals_.push_back(std::make_unique<net::SignalWatcher>(loop_, signal, [this](int received) {
      ++signals_forwarded_[static_cast<std::size_t>(received)];
      Perform(supervisor_.OnSignal(received, clock_.Steady()));
    }));
  }
}

void Agent::StartProcess() {
  net::SpawnOptions options;
  options.arguments = configuration_.command;
  options.merge_outputs = configuration_.merge_outputs;
  if (configuration_.user) {
    options.uid = configuration_.user->uid;
    options.gid = configuration_.user->gid;
  }
  // Process 1 is the one whose outputs others in the container write to, as /proc/1/fd/1.
  if (getpid() == 1) {
    options.on_outputs = [this](int output, int error_output) {
      outputs_.LeadInto(wire::Output::kStdout, output);
      outputs_.LeadInto(wire::Output::kStderr, error_output);
    };
  }
  auto spawned = net::Spawn(options);
  if (auto* failure = std::get_if<net::SpawnFailure>(&spawned)) {
    outputs_.Restore();
    log::Fail("the process cannot be started", {{"command", configuration_.command[0]},
                                                {"cause", failure->error.message()},
                                                {"exit_code", failure->exit_code}});
    std::string line = Join("dunlin-agent: ", failure->error.message(), "\n");
    auto room = shipper_.Reserve(wire::Output::kStderr, line.size());
    const std::size_t size = std::min(room.size(), line.size());
    std::memcpy(room.data(), line.data(), size);
    recent_lines_.Add(wire::Output::kStderr, line);
    shipper_.Commit(wire::Output::kStderr, size);
    ended_at_ = clock_.Now();
    Perform(supervisor_.OnStartFailed(failure->exit_code, clock_.Steady()));
    return;
  }
  auto& child = std::get<net::ChildProcess>(spawned);
  pid_ = group_ = child.pid;
  started_at_ = clock_.Now();
  Perform(supervisor_.OnStarted(clock_.Steady()));
  if (child.standard_output) {
    StartCapture(wire::Output::kStdout, std::move(child.standard_output));
  }
  if (child.standard_error) StartCapture(wire::Output::kStderr, std::move(child.standard_error));
  reaper_->Poll();
}

void Agent::StartCapture(wire::Output output, net::Descriptor pipe) {
  auto capture = std::make_unique<Capture>(loop_, clock_, output, std::move(pipe), shipper_);
  capture->on_chunk = [this, output](std::string_view chunk) { OnChunk(output, chunk); };
  capture->on_end = [this] { OnOutputEnded(); };
  capture->Start();
  captures_.push_back(std::move(capture));
}

void Agent::StartControl() {
  if (!configuration_.listen) return;
  ControlApi::Hooks hooks;
  hooks.snapshot = [this] { return TakeSnapshot(); };
  hooks.metrics = [this] { return CollectMetrics(); };
  // Stopping is never refused.
  hooks.stop = [this](std::optional<std::chrono::nanoseconds> grace) { (void)Stop(grace); };
  hooks.recent_lines = &recent_lines_;
  control_ = std::make_unique<ControlApi>(
      loop_, ControlOptions{.address = *configuration_.listen, .token = token_}, std::move(hooks));
  control_->Start();
}

std::string Agent::MetricsAddress() const {
  if (!control_) return {};
  // While its port is taken it is tried again, so the address holds.
  return control_->local_address().value_or(*configuration_.listen).ToString();
}

void Agent::Perform(const Supervisor::Actions& actions) {
  for (const Supervisor::Action& action : actions) {
    std::visit(
        [this](const auto& a) {
          using A = std::decay_t<decltype(a)>;
          if constexpr (std::is_same_v<A, Supervisor::SignalGroup>) {
            SignalGroup(a.signal);
          } else if constexpr (std::is_same_v<A, Supervisor::Drain>) {
            // The pipes end only when this process, too, has let go of them.
            outputs_.Restore();
            for (auto& capture : captures_) capture->Drain();
          } else if constexpr (std::is_same_v<A, Supervisor::Flush>) {
            Flush();
          } else {
            static_assert(std::is_same_v<A, Supervisor::Exit>);
            Exit(a.code);
          }
        },
        action);
  }
  OnStateChange();
}

/// After every event: the state's time for the status, and the next deadline.
void Agent::OnStateChange() {
  if (StateName(supervisor_.state()) != StateName(state_)) state_since_ = clock_.Now();
  state_ = supervisor_.state();
  if (auto deadline = supervisor_.deadline()) {
    auto left = *deadline - clock_.Steady();
    deadline_timer_.Start(std::max<std::chrono::nanoseconds>(left, std::chrono::nanoseconds(0)));
  } else {
    deadline_timer_.Stop();
  }
}

void Agent::OnReaped(pid_t pid, net::ExitStatus status) {
  if (child_exits_.Report(pid, status)) return;
  if (pid != pid_) {
    ++orphans_reaped_;
    return;
  }
  pid_ = 0;
  // The group's number stays taken while somebody is in it; with nobody left it may become another
  // group's and is not ours to signal.
  if (kill(-group_, 0) != 0 && errno == ESRCH) group_ = 0;
  ended_at_ = clock_.Now();
  ended_by_oom_ = KilledForMemory(status);
  Perform(supervisor_.OnChildExited(status, clock_.Steady()));
}

void Agent::OnChunk(wire::Output output, std::string_view chunk) {
  recent_lines_.Add(output, chunk);
  if (auto& passthrough = passthrough_[shipper::IndexOf(output)]) passthrough->Write(chunk);
  if (supervisor_.state() != Supervisor::State::kDraining) return;
  supervisor_.OnOutput(clock_.Steady());
  OnStateChange();
}

void Agent::OnOutputEnded() {
  bool all = std::all_of(captures_.begin(), captures_.end(),
                         [](const auto& capture) { return capture->ended(); });
  if (all) Perform(supervisor_.OnOutputsEnded(clock_.Steady()));
}

void Agent::SignalGroup(int signal) {
  if (group_ != 0 && kill(-group_, signal) != 0 && errno == ESRCH) group_ = 0;
}

void Agent::Flush() {
  for (auto& capture : captures_) capture->Close();
  passthrough_timer_.Start(kPassthroughPatience);
  shipper_.Flush([this] {
    lines_flushed_ = true;
    CheckFlushed();
  });
}

void Agent::CheckFlushed() {
  if (!lines_flushed_) return;
  bool passed = std::all_of(passthrough_.begin(), passthrough_.end(),
                            [](const auto& p) { return !p || p->idle(); });
  if (passed || passthrough_given_up_) Perform(supervisor_.OnFlushed());
}

void Agent::Exit(int code) {
  exit_code_ = code;
  shipper_.Abandon();
  ReportLosses();
  loop_.Stop();
}

void Agent::ReportLosses() const {
  // Without a collector nothing was promised.
  if (shipper_.sender() == nullptr) return;
  auto lines = [this](shipper::DropReason reason) {
    return shipper_.queue().dropped()[static_cast<std::size_t>(reason)].lines;
  };
  const std::uint64_t dropped = shipper_.Account().dropped;
  if (dropped == 0) return;
  log::Fail("lines were not delivered",
            {{"lines", dropped},
             {"mem_full", lines(shipper::DropReason::kMemoryFull)},
             {"rejected", lines(shipper::DropReason::kRejected)},
             {"shutdown", lines(shipper::DropReason::kShutdown)},
             {"last_error", shipper_.sender()->statistics().last_error}});
}

Snapshot Agent::TakeSnapshot() const {
  Snapshot s;
  s.project = configuration_.project;
  s.service = configuration_.service;
  s.deployment = configuration_.deployment;
  s.container = configuration_.container;
  s.agent_id = ToHex(agent_id_);
  s.boot_id = ToHex(boot_id_);
  s.state = StateName(supervisor_.state());
  s.since = state_since_;
  s.pid = pid_;
  s.ready = supervisor_.state() == Supervisor::State::kRunning && !draining_;
  if (auto exit = supervisor_.exit_status()) s.last_exit = {*exit, ended_by_oom_, ended_at_};
  s.started_at = started_at_;
  s.signals_forwarded = signals_forwarded_;
  s.orphans_reaped = orphans_reaped_;

  s.capture = configuration_.merge_outputs ? CaptureMode::kMerged : CaptureMode::kPipe;
  s.lines = shipper_.Account();
  for (std::size_t i = 0; i < shipper::kOutputs; ++i) {
    s.captured_lines[i] = shipper_.batcher().captured()[i].lines;
    if (passthrough_[i]) s.passthrough_dropped_bytes += passthrough_[i]->dropped_bytes();
  }
  for (const auto& capture : captures_) {
    s.captured_bytes[shipper::IndexOf(capture->output())] += capture->bytes();
    s.reads += capture->reads();
    s.unread_bytes += capture->unread_bytes();
    s.blocked_seconds += std::chrono::duration<double>(capture->blocked_time()).count();
  }
  s.dropped = shipper_.queue().dropped();
  s.fragmented_lines = shipper_.batcher().fragmented_lines();
  s.truncated_lines = shipper_.batcher().truncated_lines();
  s.queue_bytes = shipper_.queue().bytes();
  s.queue_batches = shipper_.queue().batches();
  if (auto oldest = shipper_.oldest_unsent()) {
    s.oldest_unsent_seconds = std::chrono::duration<double>(clock_.Steady() - *oldest).count();
  }
  if (const shipper::Sender* sender = shipper_.sender()) {
    s.collector_configured = true;
    s.collector_connected = sender->connected();
    s.collector = sender->peer();
    s.sender = sender->statistics();
  }
  s.listening = control_ && control_->listening();
  s.agent_started_at = agent_started_at_;
  return s;
}

std::vector<wire::MetricFamily> Agent::CollectMetrics() {
  CgroupUsage container;
  if (cgroup_) container = cgroup_->Read();
  oom_watch_.Note(container.oom_kills, clock_.Steady());
  return MetricsOf(TakeSnapshot(), ReadProcessUsage(), container);
}

bool Agent::KilledForMemory(net::ExitStatus status) {
  if (status.signal != SIGKILL || !cgroup_) return false;
  return oom_watch_.Explains(cgroup_->OomKills(), clock_.Steady());
}

}  // namespace dunlin::agent
