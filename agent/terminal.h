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

 private:
  bool given_;
  pid_t foreground_ = -1;
};

}  // namespace dunlin::agent
