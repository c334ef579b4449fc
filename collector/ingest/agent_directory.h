#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "collector/ingest/agent_identity.h"
#include "collector/metrics/collector_metrics.h"
#include "protocol/base/clock.h"
#include "protocol/base/units.h"
#include "protocol/wire/messages.h"

namespace dunlin::ingest {

/// The agents the collector has heard of, and what each last said of itself. Any thread.
class AgentDirectory {
 public:
  struct Options {
    std::size_t max_agents = 10'000;  // the one unheard of for longest is forgotten first
    /// How long after its last connection an agent is stale, then gone, then forgotten.
    std::chrono::seconds gone_after{std::chrono::minutes(15)};
    std::chrono::seconds forget_after{std::chrono::hours(24)};
    /// Metrics of an agent that is not connected are shown this long.
    std::chrono::seconds show_metrics{std::chrono::minutes(5)};
    /// Of all metrics together, about; those of an agent that do not fit are not shown.
    std::size_t max_metrics_bytes = 128_MiB;
  };

  AgentDirectory() : AgentDirectory(Options{}) {}
  explicit AgentDirectory(Options options) : options_(options) {}

  void Connected(const AgentIdentity& identity, LogTime now);
  void Disconnected(const RandomId& agent, const RandomId& boot, LogTime now);
  void KeepMetrics(const RandomId& agent, wire::Metrics metrics, LogTime now);

  collector::AgentCounts Count(LogTime now) const;

  /// The metrics of all agents as one page in the Prometheus text format: each family once, its
  /// samples labelled with project, service, deployment, container and host of their agent, plus
  /// dunlin_collector_agent_connected and dunlin_collector_agent_last_seen_timestamp_seconds.
  std::string Exposition(LogTime now) const;

 private:
  struct Agent {
    AgentIdentity identity;
    bool connected = false;
    LogTime seen{};
    wire::Metrics metrics;
    std::size_t metrics_bytes = 0;
  };

  void ForgetSome(LogTime now);
  void SetMetrics(Agent& agent, wire::Metrics metrics);

  Options options_;
  mutable std::mutex mutex_;
  std::map<RandomId, Agent> agents_;
  std::size_t metrics_bytes_ = 0;
};

}  // namespace dunlin::ingest
