#pragma once

#include <string>
#include <vector>

#include "tests/logql/memory_source.h"

namespace dunlin::logql {

/// One evaluation case: what is asked and the text of what should come out (cases/README.md).
struct EvaluationCase {
  std::string name;
  std::size_t line = 0;  // of its heading in the file
  std::string query;
  std::string params;
  std::string want;
};

/// A file of cases and the entries they all see.
struct CaseFile {
  MemorySource source;
  std::vector<EvaluationCase> cases;
};

/// Aborts with the place when the file is malformed: that is a mistake in the test.
CaseFile ReadCaseFile(const std::string& path);

/// Runs the case and writes its outcome in the form of `want`.
std::string RunCase(CaseFile& file, const EvaluationCase& one);

}  // namespace dunlin::logql
