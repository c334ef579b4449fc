#pragma once

#include <string_view>
#include <vector>

namespace dunlin::config {

/// The candidate a mistyped `name` most likely meant: the fewest letters added, removed, changed or
/// swapped, and few enough for a typo; an empty view when nothing is near. Views into `candidates`.
std::string_view NearestName(std::string_view name,
                             const std::vector<std::string_view>& candidates);

}  // namespace dunlin::config
