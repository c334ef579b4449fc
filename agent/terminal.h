#pragma once

#include <sys/types.h>

namespace dunlin::agent {

/// The terminal that the agent was given as standard input and outputs (`docker run -t`), if it
/// was. The process gets it as it is, uncaptured, and is its foreground group; so the kernel sends
/// it the keys' signals and the changes of its size.
class Terminal {
 public:
  /// Looks at descriptors 0, 1 and 2. With a terminal there, the agent in its background is not
  /// stopped for writing to it from now on.
  Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  bool given() const { return given_; }
  /// Back to whoever had it in the foreground at the start: what follows in a script reads on.
  void GiveBack() const;

  /// The process, leader of its group, was stopped by `signal`. When that came from the terminal
  /// (Ctrl-Z), the agent and the rest of its own group stop too, so that the shell above goes on,
  /// and the process continues with them. With no shell above, as in a container, it continues at
  /// once: nobody could do that for it.
  void OnStopped(pid_t process, int signal) const;

 private:
  bool NobodyAbove() const;

  bool given_;
  pid_t foreground_ = -1;
};

}  // namespace dunlin::agent
