#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "agent/prober.h"

namespace dunlin::agent {

/// The checks of one process, --ready and --live, as far as they are configured. Loop thread only.
class Probes {
 public:
  /// `exits` outlives this.
  Probes(net::Loop& loop, const Clock& clock, const Configuration& configuration,
         ChildExits& exits);

  /// The live check has begun to fail. May call SetProcess().
  std::function<void()> on_dead;

  /// Which process is to be probed: its id while it runs, 0 while none does or it is to end. To be
  /// told again and again; another id is another run.
  void SetProcess(pid_t pid);
  void OnOutput(wire::Output output, std::string_view chunk);

  /// Whether a process runs and, with a ready check, that passes.
  bool ready() const;
  /// Whether any of them looks for lines.
  bool reads_lines() const;
  /// Of each configured check.
  std::vector<ProbeReport> Reports() const;

 private:
  pid_t pid_ = 0;
  std::unique_ptr<Prober> ready_;
  std::unique_ptr<Prober> live_;
};

}  // namespace dunlin::agent
