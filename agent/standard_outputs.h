#pragma once

#include <array>

#include "protocol/net/descriptor.h"
#include "protocol/wire/batch.h"

namespace dunlin::agent {

/// What this process was given as standard output and error.
///
/// Passthrough and log write to descriptors of their own. Where the output is a pipe or a device
/// they are opened again (/proc/self/fd/N), non-blocking, because the given open file description
/// is shared with others, who must see no change; where that is refused they are duplicates, to be
/// written by NonBlockingWriter. Thus 1 and 2 are free to lead somewhere else for a while: into the
/// pipes that capture reads. One per process, made before any other descriptor is opened.
class StandardOutputs {
 public:
  /// Opens /dev/null on 0, 1 and 2 where they are closed; without /dev, a pipe with no other end.
  StandardOutputs();
  StandardOutputs(const StandardOutputs&) = delete;
  StandardOutputs& operator=(const StandardOutputs&) = delete;

  /// Where what goes to `output` is written.
  int destination(wire::Output output) const;

  /// Makes 1 or 2 lead into the pipe that `pipe` is an end of, so that what others write to
  /// /proc/PID/fd/1 is captured. While it does, the pipe has a writer and does not end. False
  /// without /proc, when nobody can find the descriptor anyway.
  bool LeadInto(wire::Output output, int pipe);
  /// Makes both lead to their destinations.
  void Restore();

 private:
  struct One {
    int fd = -1;
    net::Descriptor destination;
    bool led = false;
  };

  std::array<One, 2> outputs_;
};

}  // namespace dunlin::agent
