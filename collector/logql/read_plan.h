#pragma once

#include <vector>

#include "collector/logql/ast.h"
#include "collector/logql/entry_source.h"

namespace dunlin::logql {

/// How a log query is divided: what the source decides while reading, and the stages left for the
/// pipeline. Together they mean the same as the query.
struct ReadPlan {
  std::vector<Matcher> matchers;
  std::vector<LineFilter> filters;
  std::vector<Stage> stages;
};

/// Gives the source every line filter it can decide. No stage changes the line, so that filters
/// keep their meaning ahead of the stages that came before them.
ReadPlan PlanRead(const LogQuery& query);

}  // namespace dunlin::logql
