#include "agent/readiness.h"

#include "protocol/base/text.h"

namespace dunlin::agent {

std::string WhyNotReady(const Snapshot& snapshot) {
  if (snapshot.state != "running") return Join("the process is ", snapshot.state);
  if (snapshot.draining) return "the process is being drained";
  for (const ProbeReport& report : snapshot.probes) {
    if (report.check != "ready") continue;
    switch (report.status) {
      case ProbePolicy::Status::kStarting:
        return Join("its ", report.kind, " probe has not passed yet");
      case ProbePolicy::Status::kFailing:
        return Join("its ", report.kind, " probe is failing");
      case ProbePolicy::Status::kIdle:
      case ProbePolicy::Status::kPassing:
        break;
    }
  }
  return "the process has just started";
}

}  // namespace dunlin::agent
