#include <map>
#include <random>
#include <string>

#include "collector/logql/evaluate.h"
#include "collector/logql/parse.h"
#include "protocol/base/text.h"
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
    source.set_counting(dice.Upto(2) == 0);
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

TEST_CASE("counting gives what reading gives", "[logql][brute]") {
  // Stages that look at labels are part of it, those that look at lines are not.
  const std::vector<std::string> kStages = {
      "",
      "|= `z`",
      "!= `zz` |~ `^z`",
      "| m=`1`",
      "| m>=2",
      "| m=`1` or s=`x` | drop m",
      "| drop m",
      "| drop m, t=`5`",
      "| m!=`2` | drop m=`1`",
      "| t=~`.*1`",
      "| m=`1` |= `z` | drop s",
      "|= `zz` or `zzz`",
      "| m < 3s",
      "| m < 3s | __error__=``",
      "| m < 3s | drop __error__",
  };
  const std::vector<std::string> kSums = {
      "%",
      "sum(%)",
      "sum by (s) (%)",
      "sum by (m) (%)",
      "sum by (s, m, t) (%)",
      "sum without (m, t) (%)",
      "sum without (x) (%)",
      "avg by (s) (%)",
      "count without (t) (%)",
      "sum by (s) (%) / sum(%)",
      "max(% > 1)",
      "sum by (s, __error__) (%)",
  };
  // The shortest range that can be written is a millisecond.
  auto scaled = [](std::int64_t time_ns) { return kOrigin + (time_ns - kOrigin) * 1'000'000; };
  std::size_t answers = 0;
  std::size_t counts = 0;
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    Dice dice(seed);
    MemorySource source;
    const MemorySource plain = RandomEntries(dice);
    for (StoredEntry entry : plain.entries()) {
      if (dice.Upto(4) == 0) entry.metadata.Set("t", std::to_string(dice.Upto(20)));
      if (dice.Upto(8) == 0) entry.metadata.Set("s", "over");
      if (dice.Upto(30) == 0) entry.metadata.Set("__error__", "stored");
      entry.time_ns = scaled(entry.time_ns);
      source.Add(entry);
    }
    RangeQueryParams params = RandomQuestion(dice).params;
    params.start_ns = scaled(params.start_ns);
    params.end_ns = scaled(params.end_ns);
    params.step *= 1'000'000;
    std::string range =
        Join(dice.Pick<std::string>({"count_over_time", "rate", "bytes_over_time", "bytes_rate"}),
             "({all=\"1\"} ", dice.Pick(kStages), "[", 1 + dice.Upto(8) * 499, "ms])");
    std::string query = dice.Pick(kSums);
    for (std::size_t at = query.find('%'); at != std::string::npos; at = query.find('%')) {
      query.replace(at, 1, range);
    }
    CAPTURE(seed, query);
    auto parsed = Parse(query);
    REQUIRE(parsed);
    auto read = RunRangeQuery(source, std::get<MetricQuery>(*parsed), params);
    source.set_counting(true);
    auto counted = RunRangeQuery(source, std::get<MetricQuery>(*parsed), params);
    counts += source.counts();
    REQUIRE(read.has_value() == counted.has_value());
    if (read) {
      REQUIRE(read->series == counted->series);
      answers += read->series.empty() ? 0 : 1;
    } else {
      REQUIRE(read.error() == counted.error());
    }
  }
  CHECK(answers > 1000);
  CHECK(counts > 2500);
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
