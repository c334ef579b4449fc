#include "controller/controller_metrics.h"

#include <array>
#include <string>

namespace dunlin::controller {
namespace {

/// Every state is always exported, so that a state that becomes empty reads 0 and not its last
/// value.
constexpr std::array<const char*, 5> kContainerStates = {"allocated", "created", "running",
                                                         "exited", "unknown"};

}  // namespace

ControllerMetrics::ControllerMetrics(metrics::Registry& registry, const Conductor& conductor,
                                     const Watcher& watcher)
    : deploys_(registry.Counter("dunlin_controller_deploys_total",
                                "Rollouts that ended, by outcome and reason code.")) {
  metrics::AddProcessMetrics(registry, "controller");
  registry.OnScrape([&conductor, &watcher](metrics::Snapshot& snapshot) {
    snapshot.Gauge("dunlin_controller_deploys_active", "Rollouts under way.",
                   static_cast<double>(conductor.active()));
    snapshot.Counter("dunlin_controller_resumed_total",
                     "Rollouts that an earlier controller began and this one went on with.",
                     static_cast<double>(conductor.resumed()));
    for (const char* state : kContainerStates) {
      auto found = watcher.states().find(state);
      double count = found == watcher.states().end() ? 0 : static_cast<double>(found->second);
      snapshot.Gauge("dunlin_controller_containers", "Containers not removed, by state.", count,
                     {{"state", state}});
    }
  });
}

void ControllerMetrics::CountDeploy(std::string_view outcome, std::string_view reason) {
  deploys_.Add({{"outcome", std::string(outcome)}, {"reason", std::string(reason)}}).Increment();
}

}  // namespace dunlin::controller
