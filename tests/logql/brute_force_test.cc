#include <map>
#include <random>
#include <string>

#include "collector/logql/evaluate.h"
#include "collector/logql/parse.h"
#include "tests/logql/memory_source.h"
#include "tests/support/catch.h"

namespace dunlin::logql {
namespace {

/// Random numbers that are the same everywhere, unlike the standard's distributions.
class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed) {}
  std::int64_t Upto(std::int64_t n) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n));
  }
  template <typename T>
  const T& Pick(const std::vector<T>& from) {
    return from[static_cast<std::size_t>(Upto(static_cast<std::int64_t>(from.size())))];
  }

 private:
  std::mt19937_64 random_;
};

struct Question {
  RangeOp op;
  std::string by;  // a label to sum by; empty: no sum
  std::int64_t range_ns;
  std::int64_t offset_ns;
  RangeQueryParams params;
};

constexpr std::int64_t kOrigin = 1'700'000'000'000'000'000;

MemorySource RandomEntries(Dice& dice) {
  MemorySource source;
  for (std::int64_t n = dice.Upto(60); n > 0; --n) {
    StoredEntry entry;
    // Few distinct times, so that entries meet each other and the edges of windows.
    entry.time_ns = kOrigin + dice.Upto(40) * 500 - 2000;
    entry.stream = LabelSet{{"all", "1"}, {"s", dice.Pick<std::string>({"x", "y"})}};
    if (dice.Upto(2) == 0) entry.metadata.Set("m", dice.Pick<std::string>({"1", "2", "3"}));
    entry.line = std::string(static_cast<std::size_t>(dice.Upto(5)), 'z');
    source.Add(entry);
  }
  return source;
}

Question RandomQuestion(Dice& dice) {
  Question question{dice.Pick<RangeOp>({RangeOp::kCountOverTime, RangeOp::kRate,
                                        RangeOp::kBytesOverTime, RangeOp::kBytesRate}),
                    dice.Pick<std::string>({"", "s", "m", "none"}),
                    1 + dice.Upto(8) * 499,
                    (dice.Upto(5) - 2) * 700,
                    {}};
  question.params.start_ns = kOrigin + dice.Upto(20) * 250 - 3000;
  question.params.end_ns = question.params.start_ns + dice.Upto(20'000);
  question.params.step = std::chrono::nanoseconds(1 + dice.Upto(6) * 433);
  return question;
}

/// The definition: at every step, looks at every entry.
std::map<LabelSet, std::map<std::int64_t, double>> BruteForce(const MemorySource& source,
                                                              const Question& question) {
  std::map<LabelSet, std::map<std::int64_t, double>> want;
  bool bytes = question.op == RangeOp::kBytesOverTime || question.op == RangeOp::kBytesRate;
  bool rate = question.op == RangeOp::kRate || question.op == RangeOp::kBytesRate;
  for (std::int64_t t = question.params.start_ns; t <= question.params.end_ns;
       t += question.params.step.count()) {
    for (const StoredEntry& entry : source.entries()) {
      std::int64_t right = t - question.offset_ns;
      if (entry.time_ns <= right - question.range_ns || entry.time_ns > right) continue;
      LabelSet labels = FoldLabels(entry.stream, entry.metadata, {});
      if (!question.by.empty()) {
        labels = LabelSet{{question.by, std::string(labels.Get(question.by))}};
      }
      double amount = bytes ? static_cast<double>(entry.line.size()) : 1;
      want[labels][t] += amount;
    }
  }
  if (!rate) return want;
  for (auto& [labels, values] : want) {
    for (auto& [t, value] : values) value /= static_cast<double>(question.range_ns) / 1e9;
  }
  return want;
}

MetricQuery QueryFor(const Question& question) {
  LogRange range{{{{"all", Matcher::Op::kEqual, "1"}}, {}},
                 std::chrono::nanoseconds(question.range_ns),
                 std::chrono::nanoseconds(question.offset_ns)};
  MetricQuery aggregation{RangeAggregation{question.op, range}};
  if (question.by.empty()) return aggregation;
  return MetricQuery{
      VectorAggregation{VectorOp::kSum, Grouping{Grouping::Kind::kBy, {question.by}}, aggregation}};
}

TEST_CASE("range aggregations equal their definition on random entries", "[logql][brute]") {
  std::size_t samples = 0;
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    CAPTURE(seed);
    Dice dice(seed);
    MemorySource source = RandomEntries(dice);
    Question question = RandomQuestion(dice);
    auto got = RunRangeQuery(source, QueryFor(question), question.params);
    if (!got) {
      // Some grids have more steps than are allowed; nothing else may fail.
      REQUIRE(got.error().code() == ErrorCode::kExhausted);
      continue;
    }
    std::map<LabelSet, std::map<std::int64_t, double>> result;
    for (const Series& series : got->series) {
      for (const Sample& sample : series.samples) {
        result[series.labels][sample.time_ns] = sample.value;
      }
    }
    auto want = BruteForce(source, question);
    REQUIRE(result == want);
    for (const auto& [labels, values] : want) samples += values.size();
  }
  CHECK(samples > 10'000);
}

TEST_CASE("an instant query is the range query of one step", "[logql][brute]") {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    Dice dice(seed);
    MemorySource source = RandomEntries(dice);
    Question question = RandomQuestion(dice);
    question.params.end_ns = question.params.start_ns;
    auto range = RunRangeQuery(source, QueryFor(question), question.params);
    InstantQueryParams params;
    params.time_ns = question.params.start_ns;
    auto instant = RunInstantQuery(source, QueryFor(question), params);
    REQUIRE(range);
    REQUIRE(instant);
    std::vector<InstantSample> want;
    for (const Series& series : range->series) {
      want.push_back({series.labels, series.samples.at(0).value});
    }
    CHECK(std::get<std::vector<InstantSample>>(instant->value) == want);
  }
}

TEST_CASE("a sum counted while reading equals the sum of the series", "[logql][brute]") {
  auto pushed = Parse(R"(sum by (m) (count_over_time({all="1"}[1500ms])))");
  auto apart = Parse(R"(sum by (m) (count_over_time({all="1"}[1500ms]) + 0))");
  REQUIRE(pushed);
  REQUIRE(apart);
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    Dice dice(seed);
    MemorySource source = RandomEntries(dice);
    RangeQueryParams params;
    params.start_ns = kOrigin;
    params.end_ns = kOrigin + 20'000;
    params.step = std::chrono::nanoseconds(333);
    auto a = RunRangeQuery(source, std::get<MetricQuery>(*pushed), params);
    auto b = RunRangeQuery(source, std::get<MetricQuery>(*apart), params);
    REQUIRE(a);
    REQUIRE(b);
    CHECK(a->series == b->series);
  }
}

}  // namespace
}  // namespace dunlin::logql
