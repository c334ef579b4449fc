#include "agent/terminal.h"

#include <unistd.h>

#include "protocol/net/signals.h"

namespace dunlin::agent {

Terminal::Terminal()
    : given_(isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 &&
             isatty(STDERR_FILENO) == 1) {
  if (!given_) return;
  net::IgnoreTerminalStops();
  // Fails unless it is our controlling terminal; then there are no foreground groups of ours.
  foreground_ = tcgetpgrp(STDIN_FILENO);
}

void Terminal::GiveBack() const {
  if (foreground_ > 0) tcsetpgrp(STDIN_FILENO, foreground_);
}

}  // namespace dunlin::agent
