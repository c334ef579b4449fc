#include "agent/terminal.h"

#include <unistd.h>

#include <csignal>

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

void Terminal::OnStopped(pid_t process, int signal) const {
  if (signal != SIGTSTP && signal != SIGTTIN && signal != SIGTTOU) return;
  if (NobodyAbove()) {
    // One that reads in the background would only be stopped again.
    if (signal == SIGTSTP) kill(-process, SIGCONT);
    return;
  }
  if (tcgetpgrp(STDIN_FILENO) == process) GiveBack();
  // Returns when the shell continues the job, in the foreground or not.
  kill(0, SIGSTOP);
  if (tcgetpgrp(STDIN_FILENO) == getpgrp()) tcsetpgrp(STDIN_FILENO, process);
  kill(-process, SIGCONT);
}

/// As the kernel tells an orphaned process group, whose stop a terminal does not ask for: nobody in
/// the same session looks after it.
bool Terminal::NobodyAbove() const {
  const pid_t session = getsid(0);
  return getpid() == 1 || session == getpid() || getsid(getppid()) != session;
}

}  // namespace dunlin::agent
