#include "collector/ingest/agent_directory.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "protocol/wire/exposition.h"

namespace dunlin::ingest {
namespace {

/// A sample's labels under its agent's identity; a name that both have is the agent's own word and
/// becomes exported_name, as Prometheus does it.
LabelSet WithIdentity(const LabelSet& labels, const LabelSet& identity) {
  std::vector<LabelSet::Label> all(identity.begin(), identity.end());
  for (const auto& [name, value] : labels) {
    all.emplace_back(identity.Has(name) ? "exported_" + name : name, value);
  }
  return LabelSet(std::move(all));
}

/// Families by name, each with the samples of every agent that has it.
class MergedFamilies {
 public:
  void Add(const wire::MetricFamily& family, const LabelSet& identity) {
    auto [place, is_new] = families_.try_emplace(family.name);
    wire::MetricFamily& merged = place->second;
    if (is_new) {
      merged.name = family.name;
      merged.help = family.help;
      merged.type = family.type;
    } else if (merged.type != family.type) {
      return;  // two versions of the agent disagree; one page can hold one type
    }
    for (const wire::MetricSample& sample : family.samples) {
      merged.samples.push_back(
          {WithIdentity(sample.labels, identity), sample.value, sample.suffix});
    }
  }

  std::vector<wire::MetricFamily> Take() && {
    std::vector<wire::MetricFamily> out;
    for (auto& [name, family] : families_) out.push_back(std::move(family));
    return out;
  }

 private:
  std::map<std::string, wire::MetricFamily> families_;
};

wire::MetricFamily OneGauge(std::string name, std::string help, double value) {
  return {std::move(name), std::move(help), "gauge", {{LabelSet{}, value, ""}}};
}

/// About what they take: strings of the usual sizes lie in their objects.
std::size_t MemoryOf(const wire::Metrics& metrics) {
  std::size_t bytes = 0;
  for (const wire::MetricFamily& family : metrics.families) {
    bytes += sizeof family + family.name.size() + family.help.size();
    for (const wire::MetricSample& sample : family.samples) {
      bytes += sizeof sample + sample.labels.size() * sizeof(std::pair<std::string, std::string>);
    }
  }
  return bytes;
}

}  // namespace

void AgentDirectory::Connected(const AgentIdentity& identity, LogTime now) {
  std::lock_guard lock(mutex_);
  Agent& agent = agents_[identity.agent];
  // Another boot starts with its own metrics.
  if (agent.identity.boot != identity.boot) SetMetrics(agent, {});
  agent.identity = identity;
  agent.connected = true;
  agent.seen = now;
  ForgetSome(now);
}

void AgentDirectory::Disconnected(const RandomId& agent, const RandomId& boot, LogTime now) {
  std::lock_guard lock(mutex_);
  auto found = agents_.find(agent);
  if (found == agents_.end() || found->second.identity.boot != boot) return;
  found->second.connected = false;
  found->second.seen = now;
}

void AgentDirectory::KeepMetrics(const RandomId& agent, wire::Metrics metrics, LogTime now) {
  std::lock_guard lock(mutex_);
  auto found = agents_.find(agent);
  if (found == agents_.end()) return;
  SetMetrics(found->second, std::move(metrics));
  found->second.seen = now;
}

void AgentDirectory::SetMetrics(Agent& agent, wire::Metrics metrics) {
  std::size_t bytes = MemoryOf(metrics);
  metrics_bytes_ -= agent.metrics_bytes;
  if (metrics_bytes_ + bytes > options_.max_metrics_bytes) {
    metrics = {};
    bytes = 0;
  }
  metrics_bytes_ += bytes;
  agent.metrics_bytes = bytes;
  agent.metrics = std::move(metrics);
}

void AgentDirectory::ForgetSome(LogTime now) {
  auto forget = [&](auto agent) {
    metrics_bytes_ -= agent->second.metrics_bytes;
    return agents_.erase(agent);
  };
  for (auto agent = agents_.begin(); agent != agents_.end();) {
    bool old = !agent->second.connected && now - agent->second.seen > options_.forget_after;
    if (old) {
      agent = forget(agent);
      continue;
    }
    // Shown no more, they need not be kept.
    if (!agent->second.connected && now - agent->second.seen > options_.show_metrics) {
      SetMetrics(agent->second, {});
    }
    ++agent;
  }
  while (agents_.size() > options_.max_agents) {
    // Connected ones are bounded by the listener; among the others the oldest goes.
    auto oldest =
        std::min_element(agents_.begin(), agents_.end(), [](const auto& a, const auto& b) {
          return std::pair(a.second.connected, a.second.seen) <
                 std::pair(b.second.connected, b.second.seen);
        });
    forget(oldest);
  }
}

collector::AgentCounts AgentDirectory::Count(LogTime now) const {
  std::lock_guard lock(mutex_);
  collector::AgentCounts counts;
  for (const auto& [id, agent] : agents_) {
    if (agent.connected) {
      ++counts.ok;
    } else if (now - agent.seen <= options_.gone_after) {
      ++counts.stale;
    } else {
      ++counts.gone;
    }
  }
  return counts;
}

std::string AgentDirectory::Exposition(LogTime now) const {
  std::vector<Agent> shown;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, agent] : agents_) {
      if (agent.connected || now - agent.seen <= options_.show_metrics) shown.push_back(agent);
    }
  }
  // Two agents of one identity (a container started again) would be one series twice: the
  // connected, else the latest one speaks.
  std::sort(shown.begin(), shown.end(), [](const Agent& a, const Agent& b) {
    return std::pair(a.connected, a.seen) > std::pair(b.connected, b.seen);
  });
  std::set<LabelSet> identities;
  MergedFamilies families;
  for (const Agent& agent : shown) {
    const LabelSet& identity = agent.identity.labels;
    if (!identities.insert(identity).second) continue;
    families.Add(OneGauge("dunlin_collector_agent_connected", "Whether the agent is connected now.",
                          agent.connected ? 1 : 0),
                 identity);
    families.Add(OneGauge("dunlin_collector_agent_last_seen_timestamp_seconds",
                          "When the collector last heard metrics or an end from the agent.",
                          static_cast<double>(NanosecondsOf(agent.seen)) / 1e9),
                 identity);
    for (const wire::MetricFamily& family : agent.metrics.families) families.Add(family, identity);
  }
  std::string out;
  wire::AppendExposition(out, std::move(families).Take());
  return out;
}

}  // namespace dunlin::ingest
