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

#include "agent/agent_options.h"
#include "agent/allocator.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

/// How long the end waits for a reader of the agent's own output that does not read.
constexpr std::chrono::milliseconds kPassthroughPatience{500};

/// How long the end waits for the disk to take what was not sent.
constexpr std::chrono::milliseconds kDiskPatience{200};

/// Memory that is free, or was of use once, is given back this often, and after an outage: bursts,
/// requests and connections leave holes in the heap.
constexpr std::chrono::minutes kReleaseInterval{1};

/// Between a look at who is left and the next, while somebody is: an end that is not ours to reap
/// tells us nothing.
constexpr std::chrono::milliseconds kRemainingInterval{50};

/// The process weighs this much more than the agent when memory is short, in thousandths of all
/// there is: without the agent nobody could say what happened.
constexpr int kOomScoreRaise = 100;

/// Signals with a meaning of their own for this process: not to be caught, reports of its own
/// faults and of its children.
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
      return false;
    default:
      // Between 31 and SIGRTMIN lie those that the C library keeps for itself.
      return signal <= 31 || signal >= SIGRTMIN;
  }
}

std::string_view HookName(Hook hook) {
  switch (hook) {
    case Hook::kPreStart:
      return "--pre-start";
    case Hook::kPostStop:
      return "--post-stop";
  }
  return "hook";
}

}  // namespace

Agent::Agent(net::Loop& loop, const Clock& clock, StandardOutputs& outputs,
             Configuration configuration, Credentials credentials)
    : loop_(loop),
      clock_(clock),
      outputs_(outputs),
      configuration_(Completed(std::move(configuration))),
      credentials_(std::move(credentials)),
      agent_started_at_(clock.Now()),
      supervisor_(SupervisorOptionsOf(configuration_)),
      deadline_timer_(loop, [this] { Perform(supervisor_.OnTimer(clock_.Steady())); }),
      remaining_timer_(
          loop, [this] { Perform(supervisor_.OnRemaining(tree_->WhoRemains(), clock_.Steady())); }),
      passthrough_timer_(loop,
                         [this] {
                           passthrough_given_up_ = true;
                           CheckFlushed();
                         }),
      memory_timer_(loop, [this] { shipper_.ReleaseBuffers(); }),
      shipper_(loop, clock, ShipperOptionsOf(configuration_, credentials_, agent_id_, boot_id_)),
      captures_(loop, clock, shipper_, outputs, configuration_.passthrough),
      probes_(loop, clock, configuration_, child_exits_),
      parent_(configuration_.parent_death && getpid() != 1 ? getppid() : 0),
      state_since_(agent_started_at_) {
  shipper_.SetMetrics([this] { return CollectMetrics(); });
  shipper_.on_room = [this] { captures_.Resume(); };
  shipper_.on_released = ReleaseFreeMemory;
  captures_.on_chunk = [this](wire::Output output, std::string_view chunk) {
    probes_.OnOutput(output, chunk);
    OnChunk();
  };
  probes_.on_dead = [this] { OnDead(); };
  captures_.on_ended = [this] { Perform(supervisor_.OnOutputsEnded(clock_.Steady())); };
  captures_.on_passthrough_idle = [this] { CheckFlushed(); };
}

Agent::~Agent() = default;

int Agent::Run() {
  BecomeSubreaper();
  reaper_ = std::make_unique<net::Reaper>(
      loop_, [this](pid_t pid, net::ExitStatus status) { OnReaped(pid, status); });
  // Before the process exists, so that a stop that comes at that moment is not lost: it waits in
  // the loop.
  WatchSignals();
  WatchStops();
  Perform(supervisor_.Begin(clock_.Steady()));
  cgroup_.emplace();
  oom_watch_.Note(cgroup_->OomKills(), clock_.Steady());
  WatchParent();
  StartControl();
  shipper_.Start(MetricsAddress());
  memory_timer_.Start(kReleaseInterval, kReleaseInterval);
  if (terminal_.given() && probes_.reads_lines()) {
    log::Warn("a log probe sees nothing: the process keeps its terminal, and no line is captured");
  }
  reaper_->Poll();
  if (!ended_) loop_.Run();
  return exit_code_;
}

void Agent::BecomeSubreaper() {
  ProcessTree::Options options;
  options.first_process = getpid() == 1;
  options.is_apart = [this](pid_t pid) { return child_exits_.Awaits(pid); };
  if (!options.first_process) {
    options.subreaper = prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
    if (!options.subreaper) {
      log::Warn("orphans will not be reaped: cannot become a subreaper",
                {{"cause", std::strerror(errno)}});
    }
  }
  tree_.emplace(std::move(options));
}

void Agent::WatchSignals() {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (!IsForwarded(signal)) continue;
    if (terminal_.given() && (signal == SIGTTIN || signal == SIGTTOU)) continue;
    auto watcher =
        net::SignalWatcher::Try(loop_, signal, [this](int received) { OnSignal(received); });
    if (watcher) {
      signals_.push_back(std::move(*watcher));
    } else {
      log::Warn("a signal will not be passed on", {{"cause", watcher.error().message()}});
    }
  }
  net::ReleaseSignals();
}

/// A terminal stops the process without asking the agent (Ctrl-Z).
void Agent::WatchStops() {
  if (!terminal_.given()) return;
  stops_ = std::make_unique<net::SignalWatcher>(loop_, SIGCHLD, [this](int) {
    const pid_t process = tree_->leader();
    if (process == 0) return;
    if (auto signal = net::TakeStop(process)) terminal_.OnStopped(process, *signal);
  });
}

void Agent::WatchParent() {
  if (parent_ == 0) return;
  // What cannot be caught would end the agent and leave the process behind.
  const int signal = *configuration_.parent_death;
  const int notice = signal == SIGKILL || signal == SIGSTOP ? SIGTERM : signal;
  if (prctl(PR_SET_PDEATHSIG, notice, 0, 0, 0) != 0) {
    log::Warn("the end of the agent's parent will go unnoticed", {{"cause", std::strerror(errno)}});
  }
  if (ParentDied()) Perform(supervisor_.OnParentDied(signal, clock_.Steady()));
}

/// Somebody else has taken its place (getppid(2)).
bool Agent::ParentDied() const { return parent_ != 0 && getppid() != parent_; }

void Agent::OnSignal(int signal) {
  ++signals_forwarded_[static_cast<std::size_t>(signal)];
  // Whichever signal it is that tells of it.
  Perform(ParentDied() && !supervisor_.stop_requested()
              ? supervisor_.OnParentDied(*configuration_.parent_death, clock_.Steady())
              : supervisor_.OnSignal(signal, clock_.Steady()));
}

void Agent::StartControl() {
  if (!configuration_.listen) return;
  ControlApi::Hooks hooks;
  hooks.snapshot = [this] { return TakeSnapshot(); };
  hooks.metrics = [this] { return CollectMetrics(); };
  hooks.stop = [this](std::optional<std::chrono::nanoseconds> grace) { return Stop(grace); };
  hooks.start = [this] { return Start(); };
  hooks.restart = [this] { return Restart(RestartCause::kCommand); };
  hooks.signal = [this](int signal) { return Signal(signal); };
  hooks.command = [this](std::string_view line) { return Command(line); };
  hooks.drain = [this] { return Drain(); };
  hooks.recent_lines = &captures_.recent_lines();
  ControlOptions options;
  options.address = *configuration_.listen;
  options.access = {credentials_.token, credentials_.metrics_token,
                    credentials_.listener_tls && !configuration_.tls_ca.empty(),
                    configuration_.listen->is_loopback()};
  options.tls = credentials_.listener_tls.get();
  control_ = std::make_unique<ControlApi>(loop_, std::move(options), std::move(hooks));
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
          if constexpr (std::is_same_v<A, Supervisor::StartProcess>) {
            StartProcess();
          } else if constexpr (std::is_same_v<A, Supervisor::RunHook>) {
            RunHook(a.hook);
          } else if constexpr (std::is_same_v<A, Supervisor::EndHook>) {
            EndHook();
          } else if constexpr (std::is_same_v<A, Supervisor::SendSignal>) {
            tree_->Send(a);
          } else if constexpr (std::is_same_v<A, Supervisor::Drain>) {
            // The pipes end only when this process, too, has let go of them.
            outputs_.Restore();
            captures_.Drain();
          } else if constexpr (std::is_same_v<A, Supervisor::CloseOutputs>) {
            outputs_.Restore();
            captures_.Close();
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

/// After every event: the state's time for the status, the next deadline, and whether it matters
/// who is left.
void Agent::OnStateChange() {
  if (StateName(supervisor_.state()) != StateName(state_)) state_since_ = clock_.Now();
  state_ = supervisor_.state();
  probes_.SetProcess(state_ == Supervisor::State::kRunning ? tree_->leader() : 0);
  if (auto deadline = supervisor_.deadline()) {
    auto left = *deadline - clock_.Steady();
    deadline_timer_.Start(std::max<std::chrono::nanoseconds>(left, std::chrono::nanoseconds(0)));
  } else {
    deadline_timer_.Stop();
  }
  if (!supervisor_.waits_for_others()) {
    remaining_timer_.Stop();
  } else if (!remaining_timer_.active()) {
    // In the next turn: the one whose end was the reason for this is reaped by then.
    remaining_timer_.Start({}, kRemainingInterval);
  }
}

net::SpawnOptions Agent::OptionsFor(const std::vector<std::string>& command) const {
  net::SpawnOptions options;
  options.arguments = command;
  options.merge_outputs = configuration_.merge_outputs;
  options.oom_score_raise = kOomScoreRaise;
  if (terminal_.given()) options.output = net::ChildOutput::kInherit;
  if (configuration_.user) {
    options.uid = configuration_.user->uid;
    options.gid = configuration_.user->gid;
  }
  return options;
}

void Agent::StartProcess() {
  auto options = OptionsFor(configuration_.command);
  options.foreground = terminal_.given();
  if (configuration_.standard_input == StandardInput::kPipe) {
    options.input = net::ChildInput::kPipe;
  }
  // Process 1 is the one whose outputs others in the container write to, as /proc/1/fd/1.
  if (getpid() == 1 && !terminal_.given()) {
    options.on_outputs = [this](int output, int error_output) {
      outputs_.LeadInto(wire::Output::kStdout, output);
      outputs_.LeadInto(wire::Output::kStderr, error_output);
    };
  }
  auto spawned = net::Spawn(options);
  if (auto* failure = std::get_if<net::SpawnFailure>(&spawned)) {
    outputs_.Restore();
    ReportFailedStart("the process cannot be started", *failure);
    ended_at_ = clock_.Now();
    Perform(supervisor_.OnStartFailed(failure->exit_code, clock_.Steady()));
    return;
  }
  auto& child = std::get<net::ChildProcess>(spawned);
  tree_->Begin(child.pid);
  process_input_ = std::move(child.standard_input);
  started_at_ = clock_.Now();
  draining_ = false;
  found_dead_ = false;
  supervisor_.OnStarted(clock_.Steady());
  captures_.Open(child);
  // Inherited outputs have no end that could be seen.
  if (captures_.all_ended()) Perform(supervisor_.OnOutputsEnded(clock_.Steady()));
}

void Agent::RunHook(Hook hook) {
  const auto& command =
      hook == Hook::kPreStart ? configuration_.pre_start : configuration_.post_stop;
  auto options = OptionsFor(command);
  options.input = net::ChildInput::kNothing;
  auto spawned = net::Spawn(options);
  if (auto* failure = std::get_if<net::SpawnFailure>(&spawned)) {
    ReportFailedStart(Join(HookName(hook), " cannot be run"), *failure);
    Perform(supervisor_.OnHookEnded(std::nullopt, clock_.Steady()));
    return;
  }
  auto& child = std::get<net::ChildProcess>(spawned);
  hook_ = child.pid;
  running_hook_ = hook;
  child_exits_.Await(hook_, [this](net::ExitStatus status) { OnHookEnded(status); });
  captures_.Open(child);
}

void Agent::EndHook() {
  if (hook_ == 0) return;
  log::Warn("a hook was ended before it was done", {{"hook", HookName(running_hook_)}});
  child_exits_.Ignore(hook_);
  // Not reaped yet, so the number is its own.
  kill(-std::exchange(hook_, 0), SIGKILL);
}

void Agent::ReportFailedStart(std::string_view what, const net::SpawnFailure& failure) {
  log::Fail(what, {{"cause", failure.error.message()}, {"exit_code", failure.exit_code}});
  captures_.AddLine(Join("dunlin-agent: ", failure.error.message()));
}

void Agent::Flush() {
  passthrough_timer_.Start(kPassthroughPatience);
  shipper_.Flush([this] {
    lines_flushed_ = true;
    CheckFlushed();
  });
}

void Agent::CheckFlushed() {
  if (!lines_flushed_) return;
  if (captures_.passthrough_idle() || passthrough_given_up_) Perform(supervisor_.OnFlushed());
}

void Agent::Exit(int code) {
  // However orderly a process went, one that had to go for its health has failed.
  exit_code_ = code == 0 && found_dead_ ? 1 : code;
  terminal_.GiveBack();
  shipper_.Save(kDiskPatience, [this] {
    shipper_.Abandon();
    ReportLosses();
    ended_ = true;
    loop_.Stop();
  });
}

void Agent::OnReaped(pid_t pid, net::ExitStatus status) {
  if (!child_exits_.Report(pid, status)) {
    if (pid == tree_->leader()) {
      OnProcessEnded(pid, status);
    } else {
      ++orphans_reaped_;
    }
  }
  // It may have been the last one.
  if (supervisor_.waits_for_others()) remaining_timer_.Start({}, kRemainingInterval);
}

void Agent::OnProcessEnded(pid_t pid, net::ExitStatus status) {
  process_input_.Reset();
  // It is a zombie still, so its group can be signalled: nobody else can have that number yet.
  ended_at_ = clock_.Now();
  const bool out_of_memory = KilledForMemory(status);
  Perform(supervisor_.OnChildExited(status, out_of_memory, clock_.Steady()));
  tree_->OnReaped(pid);
  if (supervisor_.exhausted()) {
    log::Fail("the process keeps ending and is not started again",
              {{"restarts", configuration_.restart.limit}, {"exit_code", status.ShellCode()}});
  }
}

void Agent::OnHookEnded(net::ExitStatus status) {
  hook_ = 0;
  if (status.ShellCode() != 0) {
    log::Fail("a hook has failed",
              {{"hook", HookName(running_hook_)}, {"exit_code", status.ShellCode()}});
  }
  Perform(supervisor_.OnHookEnded(status, clock_.Steady()));
}

void Agent::OnChunk() {
  if (supervisor_.state() != Supervisor::State::kDraining) return;
  supervisor_.OnOutput(clock_.Steady());
  OnStateChange();
}

void Agent::OnDead() {
  switch (configuration_.live_action) {
    case LiveAction::kNone:
      return;
    case LiveAction::kRestart:
      found_dead_ = true;
      // Refused only when the agent is about to end, which is as good.
      (void)Restart(RestartCause::kHealth);
      return;
    case LiveAction::kExit:
      found_dead_ = true;
      (void)Stop(std::nullopt);
      return;
  }
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
             {"rate_limit", lines(shipper::DropReason::kRateLimit)},
             {"spool_full", lines(shipper::DropReason::kSpoolFull)},
             {"spool_io", lines(shipper::DropReason::kSpoolIo)},
             {"too_old", lines(shipper::DropReason::kTooOld)},
             {"too_large", lines(shipper::DropReason::kTooLarge)},
             {"last_error", shipper_.sender()->statistics().last_error}});
}

bool Agent::KilledForMemory(net::ExitStatus status) {
  if (status.signal != SIGKILL || !cgroup_) return false;
  return oom_watch_.Explains(cgroup_->OomKills(), clock_.Steady());
}

}  // namespace dunlin::agent
