#include "agent/probes.h"

namespace dunlin::agent {

Probes::Probes(net::Loop& loop, const Clock& clock, const Configuration& configuration,
               ChildExits& exits) {
  ExecUser user;
  if (configuration.user) user = {configuration.user->uid, configuration.user->gid};
  if (configuration.ready.target) {
    ready_ =
        std::make_unique<Prober>(loop, clock, ProbeRole::kReady, configuration.ready, user, exits);
  }
  if (!configuration.live.target) return;
  live_ = std::make_unique<Prober>(loop, clock, ProbeRole::kLive, configuration.live, user, exits);
  live_->on_change = [this] {
    if (live_->status() == ProbePolicy::Status::kFailing && on_dead) on_dead();
  };
}

void Probes::SetProcess(pid_t pid) {
  if (pid == pid_) return;
  pid_ = pid;
  for (Prober* prober : {ready_.get(), live_.get()}) {
    if (prober == nullptr) continue;
    pid != 0 ? prober->Begin() : prober->End();
  }
}

void Probes::OnOutput(wire::Output output, std::string_view chunk) {
  if (ready_) ready_->OnOutput(output, chunk);
  if (live_) live_->OnOutput(output, chunk);
}

bool Probes::ready() const {
  return pid_ != 0 && (!ready_ || ready_->status() == ProbePolicy::Status::kPassing);
}

bool Probes::reads_lines() const {
  return (ready_ && ready_->reads_lines()) || (live_ && live_->reads_lines());
}

std::vector<ProbeReport> Probes::Reports() const {
  std::vector<ProbeReport> reports;
  for (const Prober* prober : {ready_.get(), live_.get()}) {
    if (prober != nullptr) reports.push_back(prober->Report());
  }
  return reports;
}

}  // namespace dunlin::agent
