#pragma once

#include <string_view>

#include "collector/logql/entry_labels.h"

namespace dunlin::logql {

/// What a stage found fault with in an entry, which would make a number nobody can trust; empty
/// when nothing, or when the query says that it does not matter.
inline std::string_view FaultOf(const EntryLabels& labels) {
  if (labels.Parsed().empty() || labels.Get("__preserve_error__") == "true") return {};
  return labels.Get("__error__");
}

}  // namespace dunlin::logql
