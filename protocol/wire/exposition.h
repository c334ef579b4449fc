#pragma once

#include <string>
#include <vector>

#include "protocol/base/label_set.h"
#include "protocol/wire/messages.h"

namespace dunlin::wire {

/// Appends families in the Prometheus text format 0.0.4, in the given order; `extra` labels are
/// added to every sample (a sample's own label of the same name is kept as exported_NAME). Names
/// are written as they are: what DecodeMetrics has read is valid.
void AppendExposition(std::string& out, const std::vector<MetricFamily>& families,
                      const LabelSet& extra = {});

}  // namespace dunlin::wire
