#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "collector/logql/box.h"
#include "collector/logql/entry_source.h"

/// What a parsed query says (docs/logql.md). All types are plain values: copied, compared and kept
/// without further care. The parser bounds their depth, so that walking them may recurse.
namespace dunlin::logql {

/// `|= "a" or "b"`: one of the patterns holds, or with a negated operator none does.
struct LineFilterStage {
  LineFilter::Op op = LineFilter::Op::kContains;
  std::vector<std::string> patterns;  // at least one
  friend bool operator==(const LineFilterStage&, const LineFilterStage&) = default;
};

enum class CompareOp { kEqual, kNotEqual, kGreater, kGreaterEqual, kLess, kLessEqual };

/// 5KB, 1MiB: the unit says how the label's own text is to be read.
struct ByteSize {
  double bytes = 0;
  friend bool operator==(const ByteSize&, const ByteSize&) = default;
};

/// `status >= 500`, `took > 1.5s`, `size < 5KB`: the label's text is read as the literal's kind.
struct LabelComparison {
  std::string name;
  CompareOp op = CompareOp::kEqual;
  std::variant<double, std::chrono::nanoseconds, ByteSize> value;
  friend bool operator==(const LabelComparison&, const LabelComparison&) = default;
};

struct LabelFilter;

/// `a and b and c`.
struct LabelAllOf {
  std::vector<LabelFilter> terms;  // at least two
  friend bool operator==(const LabelAllOf&, const LabelAllOf&) = default;
};

/// `a or b or c`.
struct LabelAnyOf {
  std::vector<LabelFilter> terms;  // at least two
  friend bool operator==(const LabelAnyOf&, const LabelAnyOf&) = default;
};

/// `| level="error" or status >= 500`: a condition on an entry's labels, whichever their origin.
struct LabelFilter {
  std::variant<Matcher, LabelComparison, LabelAllOf, LabelAnyOf> node;
  friend bool operator==(const LabelFilter&, const LabelFilter&) = default;
};

/// One element of `drop a, b="x"`: with a condition, the label goes only if its value satisfies it.
struct LabelSelection {
  std::string name;
  std::optional<Matcher> condition;
  friend bool operator==(const LabelSelection&, const LabelSelection&) = default;
};

/// `| drop a, b="x"`.
struct DropStage {
  std::vector<LabelSelection> labels;  // at least one
  friend bool operator==(const DropStage&, const DropStage&) = default;
};

using Stage = std::variant<LineFilterStage, LabelFilter, DropStage>;

/// `{service="web"} |= "x" | level="error"`: which streams, then what happens to each entry.
struct LogQuery {
  std::vector<Matcher> selector;
  std::vector<Stage> stages;
  friend bool operator==(const LogQuery&, const LogQuery&) = default;
};

/// The entries of the last `range` before each step, `offset` earlier.
struct LogRange {
  LogQuery query;
  std::chrono::nanoseconds range{};   // above zero
  std::chrono::nanoseconds offset{};  // negative looks ahead
  friend bool operator==(const LogRange&, const LogRange&) = default;
};

struct MetricQuery;

enum class RangeOp { kCountOverTime, kRate, kBytesOverTime, kBytesRate };

/// `rate({…}[5m])`.
struct RangeAggregation {
  RangeOp op = RangeOp::kCountOverTime;
  LogRange log_range;
  friend bool operator==(const RangeAggregation&, const RangeAggregation&) = default;
};

struct Grouping {
  enum class Kind { kBy, kWithout };
  Kind kind = Kind::kBy;
  std::vector<std::string> labels;
  friend bool operator==(const Grouping&, const Grouping&) = default;
};

enum class VectorOp { kSum, kAvg, kMin, kMax, kCount };

/// `sum by (level) (…)`. Without a grouping everything becomes one series.
struct VectorAggregation {
  VectorOp op = VectorOp::kSum;
  std::optional<Grouping> grouping;
  Box<MetricQuery> operand;
  friend bool operator==(const VectorAggregation&, const VectorAggregation&) = default;
};

enum class BinaryOp {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kPower,
  kEqual,
  kNotEqual,
  kGreater,
  kGreaterEqual,
  kLess,
  kLessEqual,
};

/// `a / b`, `a > bool b`. At most one side is a Number: the parser computes the others.
struct BinaryOperation {
  BinaryOp op = BinaryOp::kAdd;
  bool return_bool = false;  // comparisons: 0 or 1 instead of filtering
  Box<MetricQuery> left;
  Box<MetricQuery> right;
  friend bool operator==(const BinaryOperation&, const BinaryOperation&) = default;
};

/// A bare number: a scalar.
struct Number {
  double value = 0;
  friend bool operator==(const Number&, const Number&) = default;
};

/// `vector(1)`: one sample without labels at each step.
struct ConstantVector {
  double value = 0;
  friend bool operator==(const ConstantVector&, const ConstantVector&) = default;
};

struct MetricQuery {
  std::variant<RangeAggregation, VectorAggregation, BinaryOperation, Number, ConstantVector> node;
  friend bool operator==(const MetricQuery&, const MetricQuery&) = default;
};

using Query = std::variant<LogQuery, MetricQuery>;

}  // namespace dunlin::logql
