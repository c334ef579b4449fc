#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/logql/case_file.h"
#include "tests/support/catch.h"

namespace dunlin::logql {
namespace {

std::vector<std::string> CasePaths() {
  std::vector<std::string> paths;
  for (const auto& file : std::filesystem::directory_iterator(DUNLIN_LOGQL_CASES)) {
    if (file.path().extension() == ".txt") paths.push_back(file.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

TEST_CASE("queries give the results of the evaluation cases", "[logql][cases]") {
  std::size_t count = 0;
  std::size_t counted = 0;
  for (const std::string& path : CasePaths()) {
    CaseFile file = ReadCaseFile(path);
    CHECK_FALSE(file.cases.empty());
    for (const EvaluationCase& one : file.cases) {
      INFO(path << ":" << one.line << ": " << one.name << "\nquery: " << one.query);
      file.source.set_counting(false);
      CHECK(RunCase(file, one) == one.want);
      file.source.set_counting(true);
      CHECK(RunCase(file, one) == one.want);
      ++count;
    }
    counted += file.source.counts();
  }
  CHECK(count >= 80);
  CHECK(counted >= 40);
}

}  // namespace
}  // namespace dunlin::logql
