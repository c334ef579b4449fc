#include "agent/readiness.h"

#include <string>

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

Snapshot Running() {
  Snapshot snapshot;
  snapshot.state = "running";
  ProbeReport live;
  live.check = "live";
  live.kind = "tcp";
  live.status = ProbePolicy::Status::kFailing;
  ProbeReport ready;
  ready.check = "ready";
  ready.kind = "exec";
  ready.status = ProbePolicy::Status::kPassing;
  ready.last_error = "the password is not 1234";
  snapshot.probes = {live, ready};
  return snapshot;
}

TEST_CASE("not being ready has its reason: the process, then draining, then the probe",
          "[agent][readiness]") {
  Snapshot snapshot = Running();
  snapshot.probes[1].status = ProbePolicy::Status::kStarting;
  CHECK(WhyNotReady(snapshot) == "its exec probe has not passed yet");
  snapshot.probes[1].status = ProbePolicy::Status::kFailing;
  CHECK(WhyNotReady(snapshot) == "its exec probe is failing");
  snapshot.draining = true;
  CHECK(WhyNotReady(snapshot) == "the process is being drained");
  snapshot.state = "backing-off";
  CHECK(WhyNotReady(snapshot) == "the process is backing-off");
}

}  // namespace
}  // namespace dunlin::agent
