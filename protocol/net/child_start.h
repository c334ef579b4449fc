#pragma once

#include <sys/types.h>

#include <bitset>
#include <optional>

/// For this folder only: the child's side of Spawn.
namespace dunlin::net {

/// One bit for each signal number.
using SignalSet = std::bitset<65>;

/// Which signals this process was started with ignored.
const SignalSet& SignalsIgnoredAtStart();

/// What a forked child needs to become the program. Everything is allocated before the fork.
struct ChildStart {
  int input;  // negative: as it is, as for the outputs; all others above 2
  int output;
  int error_output;  // may be the same
  int report;        // a StartFailure goes here; closed by a successful exec
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  char* const* paths;  // tried in order; ends with null, as do the others
  char* const* arguments;
  char* const* environment;
  SignalSet kept_ignored;
  bool foreground;
  const char* oom_score_adj;  // null: as it is
};

enum class StartStep { kDescriptors, kUser, kExec };

/// What the child reports when it cannot become the program.
struct StartFailure {
  StartStep step;
  int error_number;
};

/// Becomes the program, in a child forked with all signals blocked. Async-signal-safe: plain system
/// calls only.
[[noreturn]] void StartChild(const ChildStart& start);

/// Ways to mark every descriptor from `first` on close-on-exec, best first. Each says whether it
/// could.
bool CloseOnExecByRange(unsigned first);   // close_range(2), Linux 5.11
bool CloseOnExecByFolder(unsigned first);  // the names in /proc/self/fd
bool CloseOnExecOneByOne(unsigned first);  // up to the highest there can be; false: to a bound

}  // namespace dunlin::net
