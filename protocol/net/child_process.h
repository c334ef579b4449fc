#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/net/descriptor.h"
#include "protocol/net/loop.h"

namespace dunlin::net {

/// How a process ended.
struct ExitStatus {
  int code = 0;    // when it exited
  int signal = 0;  // when a signal ended it, else 0
  bool core_dumped = false;

  /// code, or 128 + signal, as a shell reports it.
  int ShellCode() const { return signal != 0 ? 128 + signal : code; }
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

/// What a child reads as its standard input.
enum class ChildInput {
  kInherit,  // this process's own
  kNothing,  // an end at once
  kPipe,     // what is written to ChildProcess::standard_input
};

/// Where a child's outputs go.
enum class ChildOutput {
  kPipes,
  kInherit,  // this process's own: a terminal must reach the child as it is
};

struct SpawnOptions {
  std::vector<std::string> arguments;  // [0] is the program, looked up in PATH as execvp does
  std::optional<std::vector<std::string>>
      environment;  // NAME=VALUE; nothing: EnvironmentForChildren() (base/environment.h)
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  ChildInput input = ChildInput::kInherit;
  ChildOutput output = ChildOutput::kPipes;
  bool merge_outputs = false;   // one pipe for both outputs
  int pipe_bytes = 256 * 1024;  // asked of the kernel; refusal is not an error
  /// Sees the write ends of the outputs, the same one twice when merged, before the process exists.
  std::function<void(int output, int error_output)> on_outputs;
  /// Make the child's group the foreground one of the terminal on standard input; without effect
  /// where that is no controlling terminal of ours.
  bool foreground = false;
  /// Added to this process's own oom_score_adj, so that the kernel takes the child first
  /// (proc(5)); refusal is not an error.
  int oom_score_raise = 0;
};

/// A process started with own fork and exec (docs/architecture.md says why not libuv's): leader of
/// its own process group, an empty signal mask, default dispositions but for signals that this
/// process was itself started with ignored, no descriptors but 0, 1, 2. Its outputs are FIFOs owned
/// by its uid, so that it can open /dev/stdout again; only the read ends, held here, are
/// non-blocking.
struct ChildProcess {
  pid_t pid = 0;
  Descriptor standard_input;   // non-blocking write end, with ChildInput::kPipe
  Descriptor standard_output;  // read ends; one is empty with merge_outputs, both when inherited
  Descriptor standard_error;
};

/// A failed start, with the exit code that shells use: 127 no such program, 126 cannot be executed.
struct SpawnFailure {
  Error error;
  int exit_code;
};

/// Returns once exec has succeeded or failed, so a missing program is known at once. On the thread
/// of the Reaper; a signal that arrives meanwhile is delivered afterwards.
std::variant<ChildProcess, SpawnFailure> Spawn(const SpawnOptions& options);

/// The signal that has stopped this child since it was asked last, if one has.
std::optional<int> TakeStop(pid_t child);

/// Reaps every child of this process, orphans handed down included, on SIGCHLD. One per process;
/// loop thread.
class Reaper {
 public:
  /// `on_exit` runs for each child that has ended, while it is still a zombie: until it returns,
  /// neither the process id nor that of its group can belong to anyone else. It may destroy the
  /// reaper.
  Reaper(Loop& loop, std::function<void(pid_t, ExitStatus)> on_exit);
  ~Reaper();
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  /// Reaps what has ended already; call once after starting children.
  void Poll();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::net
