#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/label_set.h"
#include "protocol/base/result.h"

namespace dunlin::logql {

/// One label condition of a stream selector: =, !=, =~, !~ (regular expressions match the whole
/// value).
struct Matcher {
  enum class Op { kEqual, kNotEqual, kRegex, kNotRegex };
  std::string name;
  Op op = Op::kEqual;
  std::string value;
  friend bool operator==(const Matcher&, const Matcher&) = default;
};

/// A condition on the line: |=, !=, |~, !~. Regular expressions are RE2 and match anywhere in the
/// line; what a dot matches is written in them.
struct LineFilter {
  enum class Op { kContains, kNotContains, kRegex, kNotRegex };
  Op op = Op::kContains;
  std::string pattern;
  friend bool operator==(const LineFilter&, const LineFilter&) = default;
};

enum class Order { kAscending, kDescending, kUnordered };

struct Selection {
  std::int64_t start_ns = 0;  // inclusive
  std::int64_t end_ns = 0;    // exclusive
  std::vector<Matcher> matchers;
  std::vector<LineFilter> filters;  // all must hold
  Order order = Order::kDescending;
  const std::atomic<bool>* cancelled = nullptr;
  /// No more entries than this will be wanted, though more may be shown.
  std::size_t limit = std::numeric_limits<std::size_t>::max();
};

/// Views are valid during the visit only.
struct Entry {
  std::int64_t time_ns;
  const LabelSet& stream;
  const LabelSet& metadata;
  std::string_view line;
};

struct SourceStats {
  std::uint64_t bytes = 0;  // uncompressed text looked at
  std::uint64_t lines = 0;
  std::uint64_t segments = 0;
  std::uint64_t blocks = 0;
  std::vector<std::string> warnings;
};

class EntryCounter;

/// Where evaluation gets its entries: api/ connects it to the store, tests to a vector. Any thread.
class EntrySource {
 public:
  virtual ~EntrySource() = default;
  /// Visits entries that satisfy matchers and filters, in the asked order, until `visit` answers
  /// false. Errors: kCancelled, kInvalidArgument, kIo.
  virtual Result<SourceStats> Read(const Selection& selection,
                                   const std::function<bool(const Entry&)>& visit) = 0;

  /// For sources that can count entries faster than visit them; lives as long as the source.
  virtual EntryCounter* counter() { return nullptr; }
};

}  // namespace dunlin::logql
