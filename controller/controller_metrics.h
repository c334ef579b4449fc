#pragma once

#include <string_view>

#include "controller/conductor/conductor.h"
#include "controller/conductor/watcher.h"
#include "protocol/metrics/registry.h"

namespace dunlin::controller {

/// Every metric of the controller beside those of HTTP and of the process. Made and scraped on the
/// loop thread, where `conductor` and `watcher` live, which outlive the scrapes.
class ControllerMetrics {
 public:
  ControllerMetrics(metrics::Registry& registry, const Conductor& conductor,
                    const Watcher& watcher);

  /// One rollout ended.
  void CountDeploy(std::string_view outcome, std::string_view reason);

 private:
  prometheus::Family<prometheus::Counter>& deploys_;
};

}  // namespace dunlin::controller
