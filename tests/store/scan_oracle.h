#pragma once

#include <cstdint>
#include <random>
#include <regex>
#include <string>
#include <vector>

#include "collector/store/store.h"
#include "tests/store/store_fixture.h"

/// Random entries and requests, and line filters as they are defined.
namespace dunlin::store {

inline constexpr std::int64_t kHour = 3'600'000'000'000;

/// A line filter evaluated the plain way.
class OracleFilter {
 public:
  explicit OracleFilter(const LineFilter& filter) : filter_(filter) {
    // Patterns below mean the same in ECMAScript and RE2, line by line.
    if (filter.kind == LineFilter::Kind::kRegex) regex_ = std::regex(filter.pattern);
  }

  bool Accepts(const std::string& line) const {
    bool holds = filter_.kind == LineFilter::Kind::kContains
                     ? line.find(filter_.pattern) != std::string::npos
                     : std::regex_search(line, regex_);
    return holds != filter_.negated;
  }

 private:
  LineFilter filter_;
  std::regex regex_;
};

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::size_t Below(std::size_t limit) { return random_() % limit; }
  template <typename T>
  const T& Pick(const std::vector<T>& choices) {
    return choices[Below(choices.size())];
  }

  std::string Line();
  /// Entries of few streams and, within some days, few distinct times.
  std::vector<TestEntry> Batch();
  std::vector<LineFilter> Filters();
  ScanRequest Request();

 private:
  std::mt19937_64 random_;
};

}  // namespace dunlin::store
