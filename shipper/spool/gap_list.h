#pragma once

#include <string_view>
#include <vector>

#include "protocol/wire/batch.h"
#include "shipper/batcher.h"

namespace dunlin::shipper {

/// Adds a marker to a list that has one per reason and output: a day of losses is one, not one per
/// batch.
void AddGap(std::vector<wire::Gap>& gaps, const wire::Gap& gap);

/// Adds markers of `reason` for what `totals` says was lost.
void AddGaps(std::vector<wire::Gap>& gaps, std::string_view reason, const Totals& totals);

}  // namespace dunlin::shipper
