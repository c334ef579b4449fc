#include "protocol/net/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "protocol/base/environment.h"
#include "protocol/base/text.h"
#include "protocol/net/child_start.h"

namespace dunlin::net {
namespace {

constexpr int kNoSuchProgram = 127;
constexpr int kCannotExecute = 126;

// What a lookup without PATH searches (confstr(3), _CS_PATH).
constexpr std::string_view kDefaultPath = "/bin:/usr/bin";

struct Pipe {
  Descriptor read;
  Descriptor write;
};

/// Makes 0, 1 and 2 something, so that no descriptor of ours ever becomes a child's standard one.
void OpenStandardDescriptors() {
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
      // The lowest free number is this one. Without /dev/null pipes still stay above 2 (MakePipe).
      [[maybe_unused]] int opened = open("/dev/null", O_RDWR);
    }
  }
}

/// Moves a descriptor above the standard ones.
Result<Descriptor> Above2(Descriptor fd) {
  if (fd.get() > STDERR_FILENO) return fd;
  Descriptor moved(fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!moved) return ErrnoError(errno, "cannot move a pipe");
  return moved;
}

Result<Pipe> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return ErrnoError(errno, "cannot make a pipe");
  Descriptor first(fds[0]);
  Descriptor second(fds[1]);
  auto read = Above2(std::move(first));
  if (!read) return std::move(read).error();
  auto write = Above2(std::move(second));
  if (!write) return std::move(write).error();
  return Pipe{std::move(*read), std::move(*write)};
}

void GiveToUser(int pipe, const SpawnOptions& options) {
  if (!options.uid && !options.gid) return;
  [[maybe_unused]] int changed =
      fchown(pipe, options.uid.value_or(uid_t(-1)), options.gid.value_or(gid_t(-1)));
}

/// A pipe for what a child prints. Only the read end is non-blocking: its flags are its own, while
/// those of the write end are the child's to see.
Result<Pipe> MakeOutputPipe(const SpawnOptions& options) {
  auto pipe = MakePipe();
  if (!pipe) return pipe;
  if (fcntl(pipe->read.get(), F_SETFL, O_NONBLOCK) != 0) {
    return ErrnoError(errno, "cannot make a pipe non-blocking");
  }
  // Refused (EPERM) once the uid's share of pipe memory is used up: then it stays at its default.
  if (options.pipe_bytes > 0) fcntl(pipe->write.get(), F_SETPIPE_SZ, options.pipe_bytes);
  // Opening /dev/stdout again is checked against the pipe's owner and mode. Its owner is the
  // child's user, and every user may write, because workers drop to users we do not know of. Being
  // refused costs the child that, not its start.
  GiveToUser(pipe->write.get(), options);
  fchmod(pipe->write.get(), S_IRUSR | S_IWUSR | S_IWGRP | S_IWOTH);
  return pipe;
}

/// A pipe for what a child reads; only our end is non-blocking.
Result<Pipe> MakeInputPipe(const SpawnOptions& options) {
  auto pipe = MakePipe();
  if (!pipe) return pipe;
  if (fcntl(pipe->write.get(), F_SETFL, O_NONBLOCK) != 0) {
    return ErrnoError(errno, "cannot make a pipe non-blocking");
  }
  GiveToUser(pipe->read.get(), options);
  return pipe;
}

/// What of 0, 1 and 2 is not inherited.
struct StandardPipes {
  Pipe input;
  Pipe output;
  Pipe error_output;
};

Result<StandardPipes> MakeStandardPipes(const SpawnOptions& options) {
  StandardPipes pipes;
  switch (options.input) {
    case ChildInput::kInherit:
      break;
    case ChildInput::kNothing:
      // Rather than /dev/null, which not every root has: nobody writes, so a read is at the end.
      if (auto pipe = MakePipe()) {
        pipes.input.read = std::move(pipe->read);
      } else {
        return std::move(pipe).error();
      }
      break;
    case ChildInput::kPipe:
      if (auto pipe = MakeInputPipe(options)) {
        pipes.input = std::move(*pipe);
      } else {
        return std::move(pipe).error();
      }
      break;
  }
  if (options.output == ChildOutput::kInherit) return pipes;
  auto output = MakeOutputPipe(options);
  if (!output) return std::move(output).error();
  pipes.output = std::move(*output);
  if (options.merge_outputs) return pipes;
  auto error_output = MakeOutputPipe(options);
  if (!error_output) return std::move(error_output).error();
  pipes.error_output = std::move(*error_output);
  return pipes;
}

/// This process's own score, raised; empty where that cannot be known or is not wanted.
std::string OomScoreOf(const SpawnOptions& options) {
  if (options.oom_score_raise == 0) return {};
  Descriptor file(open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC));
  char text[16];
  const ssize_t size = file ? read(file.get(), text, sizeof text) : -1;
  if (size <= 0) return {};
  // A number and a newline.
  const auto own = ParseInteger<int>({text, static_cast<std::size_t>(size) - 1});
  constexpr int kMost = 1000;
  if (!own) return {};
  return Join(std::min(kMost, *own + options.oom_score_raise));
}

/// The value of PATH that the child will have, or nothing.
std::optional<std::string_view> PathOf(const SpawnOptions& options) {
  constexpr std::string_view kPrefix = "PATH=";
  if (!options.environment) {
    return VariableForChildren("PATH");
  }
  for (std::string_view variable : *options.environment) {
    if (variable.starts_with(kPrefix)) return variable.substr(kPrefix.size());
  }
  return std::nullopt;
}

/// The files to try, as execvp does (POSIX, exec): a name with a slash is a path; any other is
/// looked for in each folder of PATH, of which an empty one is the current folder.
std::vector<std::string> Candidates(const SpawnOptions& options) {
  const std::string& program = options.arguments[0];
  if (program.empty()) return {};
  if (program.find('/') != std::string::npos) return {program};
  std::vector<std::string> candidates;
  for (std::string_view folder : Split(PathOf(options).value_or(kDefaultPath), ':')) {
    candidates.push_back(folder.empty() ? Join("./", program) : Join(folder, '/', program));
  }
  return candidates;
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  // execve takes pointers to char for history's sake and does not write.
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

SpawnFailure Refused(Error error) { return {std::move(error), kCannotExecute}; }

SpawnFailure Explain(const StartFailure& failure, const SpawnOptions& options,
                     const std::vector<std::string>& candidates) {
  const std::string& program = options.arguments[0];
  std::string attempt = Join("cannot run ", program);
  switch (failure.step) {
    case StartStep::kDescriptors:
      return Refused(
          ErrnoError(failure.error_number, Join(attempt, ": cannot set up its input and outputs")));
    case StartStep::kUser:
      return Refused(
          ErrnoError(failure.error_number,
                     Join(attempt, ": cannot become user ", options.uid.value_or(geteuid()),
                          " group ", options.gid.value_or(getegid()))));
    case StartStep::kExec:
      break;
  }
  if (failure.error_number != ENOENT && failure.error_number != ENOTDIR) {
    return Refused(ErrnoError(failure.error_number, attempt));
  }
  for (const std::string& candidate : candidates) {
    // The file is there, so what is missing is what the kernel needs to run it.
    if (access(candidate.c_str(), F_OK) == 0) {
      return {Error(ErrorCode::kNotFound,
                    Join(attempt, ": ", candidate,
                         " needs an interpreter (its #! line or dynamic loader) that is missing")),
              kNoSuchProgram};
    }
  }
  std::string cause =
      program.find('/') != std::string::npos
          ? std::string("no such file")
          : Join("not found in PATH (", PathOf(options).value_or(kDefaultPath), ')');
  return {Error(ErrorCode::kNotFound, Join(attempt, ": ", cause)), kNoSuchProgram};
}

/// A process started with SIGCHLD ignored would never see its children's exit status.
void KeepExitStatuses() {
  struct sigaction action;
  if (sigaction(SIGCHLD, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
    signal(SIGCHLD, SIG_DFL);
  }
}

/// Waits until the child's exec has closed its end or a failure has come through.
std::optional<StartFailure> AwaitExec(int fd) {
  StartFailure failure;
  ssize_t size;
  do {
    size = read(fd, &failure, sizeof failure);
  } while (size < 0 && errno == EINTR);
  // Less than a whole failure cannot be: a pipe takes that much at once or not at all.
  if (size != sizeof failure) return std::nullopt;
  return failure;
}

}  // namespace

std::variant<ChildProcess, SpawnFailure> Spawn(const SpawnOptions& options) {
  if (options.arguments.empty()) {
    return Refused(Error(ErrorCode::kInvalidArgument, "cannot run a command without a program"));
  }
  OpenStandardDescriptors();
  auto report = MakePipe();
  if (!report) return Refused(std::move(report).error());
  auto pipes = MakeStandardPipes(options);
  if (!pipes) return Refused(std::move(pipes).error());

  // All the child needs is made here: between fork and exec it may not allocate.
  std::vector<std::string> candidates = Candidates(options);
  std::vector<char*> paths = Pointers(candidates);
  std::vector<char*> arguments = Pointers(options.arguments);
  std::vector<char*> environment;
  if (options.environment) environment = Pointers(*options.environment);
  ChildStart start;
  start.input = pipes->input.read.get();
  start.output = pipes->output.write.get();
  start.error_output = options.merge_outputs ? start.output : pipes->error_output.write.get();
  start.report = report->write.get();
  if (options.on_outputs) options.on_outputs(start.output, start.error_output);
  start.uid = options.uid;
  start.gid = options.gid;
  start.paths = paths.data();
  start.arguments = arguments.data();
  start.environment = options.environment ? environment.data() : EnvironmentForChildren();
  start.kept_ignored = SignalsIgnoredAtStart();
  start.foreground = options.foreground;
  const std::string oom_score_adj = OomScoreOf(options);
  start.oom_score_adj = oom_score_adj.empty() ? nullptr : oom_score_adj.c_str();

  KeepExitStatuses();
  // A signal that arrives meanwhile waits for the parent; in the child it would run the parent's
  // handlers.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t pid = fork();
  if (pid == 0) StartChild(start);
  int fork_error = errno;
  // Parent and child both do this, so that neither ever sees the group missing.
  if (pid > 0) setpgid(pid, pid);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) {
    return Refused(ErrnoError(fork_error, Join("cannot run ", options.arguments[0])));
  }

  pipes->output.write.Reset();
  pipes->error_output.write.Reset();
  report->write.Reset();
  if (auto failure = AwaitExec(report->read.get())) {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return Explain(*failure, options, candidates);
  }
  return ChildProcess{pid, std::move(pipes->input.write), std::move(pipes->output.read),
                      std::move(pipes->error_output.read)};
}

}  // namespace dunlin::net
