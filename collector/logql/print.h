#pragma once

#include <string>
#include <vector>

#include "collector/logql/ast.h"

namespace dunlin::logql {

/// The canonical form on one line. Parsing it gives the same query, and printing that the same
/// text.
std::string Print(const Query& query);
std::string Print(const LogQuery& query);
std::string Print(const MetricQuery& query);
std::string Print(const std::vector<Matcher>& selector);

}  // namespace dunlin::logql
