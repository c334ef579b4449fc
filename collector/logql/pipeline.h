#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "collector/logql/ast.h"
#include "collector/logql/entry_labels.h"
#include "collector/logql/entry_source.h"
#include "protocol/base/result.h"

namespace dunlin::logql {

/// An entry on its way through the stages of a query.
struct ProcessedEntry {
  std::string_view line;
  EntryLabels labels;
};

/// The stages of one query, ready to run. Not thread-safe: one per thread.
class Pipeline {
 public:
  /// Errors: kInvalidArgument for a malformed or too large regular expression.
  static Result<Pipeline> Compile(const std::vector<Stage>& stages);
  Pipeline(Pipeline&&) noexcept;
  Pipeline& operator=(Pipeline&&) noexcept;
  ~Pipeline();

  /// Runs the stages on `entry`, whose views must outlive the use of `out`. False when a stage
  /// rejects it; `out` is then meaningless. Reusing `out` saves allocations.
  bool Process(const Entry& entry, ProcessedEntry& out) const;

 private:
  struct Program;
  explicit Pipeline(std::unique_ptr<const Program> program);
  std::unique_ptr<const Program> program_;
};

}  // namespace dunlin::logql
