#include "collector/logql/evaluate.h"

#include <atomic>
#include <limits>

#include "collector/logql/parse.h"
#include "collector/logql/pipeline.h"
#include "collector/logql/read_plan.h"
#include "collector/logql/step_grid.h"
#include "collector/logql/window_sums.h"
#include "tests/logql/memory_source.h"
#include "tests/support/catch.h"

namespace dunlin::logql {
namespace {

using namespace std::chrono_literals;

LogQuery Log(std::string_view text) { return ParseLogQuery(text).value(); }
MetricQuery Metric(std::string_view text) {
  auto query = Parse(text).value();
  return std::get<MetricQuery>(query);
}

MemorySource SmallSource() {
  MemorySource source;
  source.Add({1, LabelSet{{"a", "1"}}, {}, "one"});
  source.Add({2, LabelSet{{"a", "1"}}, {}, "two"});
  source.Add({3, LabelSet{{"a", "2"}}, {}, "three"});
  return source;
}

TEST_CASE("the source gets the line filters it can decide, the pipeline the rest",
          "[logql][plan]") {
  ReadPlan plan = PlanRead(
      Log(R"({a="1"} |= "x" | b="2" != "y" or "z" | drop b |~ "p.q" !~ "r" |= "s." or "t")"));
  CHECK(plan.matchers == std::vector<Matcher>{{"a", Matcher::Op::kEqual, "1"}});
  CHECK(plan.filters == std::vector<LineFilter>{{LineFilter::Op::kContains, "x"},
                                                {LineFilter::Op::kNotContains, "y"},
                                                {LineFilter::Op::kNotContains, "z"},
                                                {LineFilter::Op::kRegex, "(?s)p.q"},
                                                {LineFilter::Op::kNotRegex, "r"},
                                                {LineFilter::Op::kRegex, "(?:s\\.)|(?:t)"}});
  REQUIRE(plan.stages.size() == 2);
  CHECK(std::holds_alternative<LabelFilter>(plan.stages[0]));
  CHECK(std::holds_alternative<DropStage>(plan.stages[1]));
}

TEST_CASE("alternatives that make no single expression stay in the pipeline", "[logql][plan]") {
  auto text = GENERATE(R"({a="1"} |= "\xff" or "x")", R"({a="1"} |~ "\\Qx" or "y")");
  ReadPlan plan = PlanRead(Log(text));
  CHECK(plan.filters.empty());
  CHECK(plan.stages.size() == 1);
}

TEST_CASE("a log query asks for its range and order once", "[logql][evaluate]") {
  MemorySource source = SmallSource();
  LogQueryParams params;
  params.start_ns = 2;
  params.end_ns = 9;
  auto result = RunLogQuery(source, Log(R"({a=~".+"})"), params);
  REQUIRE(result);
  CHECK(result->entries.size() == 2);
  CHECK(result->stats.lines == 3);
  CHECK(result->stats.bytes == 11);
  CHECK(source.reads() == 1);
  CHECK(source.last_selection().start_ns == 2);
  CHECK(source.last_selection().end_ns == 9);
  CHECK(source.last_selection().order == Order::kDescending);
}

TEST_CASE("reading stops at the limit", "[logql][evaluate]") {
  MemorySource source = SmallSource();
  LogQueryParams params;
  params.end_ns = 9;
  params.limit = 1;
  params.order = Order::kAscending;
  auto result = RunLogQuery(source, Log(R"({a=~".+"})"), params);
  REQUIRE(result);
  CHECK(result->stats.lines == 1);
}

TEST_CASE("a metric query reads each of its ranges, and no more than that", "[logql][evaluate]") {
  MemorySource source = SmallSource();
  RangeQueryParams params;
  params.start_ns = 1'000'000'000;
  params.end_ns = 3'500'000'000;
  params.step = 1s;
  auto result = RunRangeQuery(
      source, Metric(R"(sum(rate({a="1"}[2s])) + sum(rate({a="2"}[1s] offset 5s)))"), params);
  REQUIRE(result);
  CHECK(source.reads() == 2);
  CHECK(result->stats.lines == 6);
  CHECK(source.last_selection().start_ns == -5'000'000'000 + 1);  // the window is open to the left
  CHECK(source.last_selection().end_ns == -2'000'000'000 + 1);    // and ends at the last step
  CHECK(source.last_selection().order == Order::kUnordered);
}

TEST_CASE("a cancelled query says so", "[logql][evaluate]") {
  MemorySource source = SmallSource();
  std::atomic<bool> cancelled = true;
  LogQueryParams log;
  log.end_ns = 9;
  log.cancelled = &cancelled;
  auto lines = RunLogQuery(source, Log(R"({a=~".+"})"), log);
  REQUIRE_FALSE(lines);
  CHECK(lines.error().code() == ErrorCode::kCancelled);
  InstantQueryParams instant;
  instant.cancelled = &cancelled;
  auto sample = RunInstantQuery(source, Metric(R"(rate({a="1"}[1m]))"), instant);
  REQUIRE_FALSE(sample);
  CHECK(sample.error().code() == ErrorCode::kCancelled);
}

TEST_CASE("a range that makes no sense is refused", "[logql][evaluate]") {
  MemorySource source;
  RangeQueryParams params;
  params.end_ns = 10;
  auto zero = RunRangeQuery(source, Metric("vector(1)"), params);
  REQUIRE_FALSE(zero);
  CHECK(zero.error().code() == ErrorCode::kInvalidArgument);
  params.step = 1s;
  params.start_ns = 11;
  auto backwards = RunRangeQuery(source, Metric("vector(1)"), params);
  REQUIRE_FALSE(backwards);
  CHECK(backwards.error().code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("times at the ends of the clock do no harm", "[logql][evaluate]") {
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  MemorySource source = SmallSource();
  source.Add({kMin, LabelSet{{"a", "1"}}, {}, "first"});
  source.Add({kMax - 1, LabelSet{{"a", "1"}}, {}, "last"});
  auto text = GENERATE(R"(sum(count_over_time({a="1"}[292y])))",
                       R"(sum(count_over_time({a="1"}[1m] offset 292y)))",
                       R"(sum(count_over_time({a="1"}[1m] offset -292y)))");
  for (std::int64_t time : {kMin, std::int64_t{0}, kMax}) {
    InstantQueryParams instant;
    instant.time_ns = time;
    CHECK(RunInstantQuery(source, Metric(text), instant));
  }
  RangeQueryParams range;
  range.start_ns = kMin;
  range.end_ns = kMax;
  range.step = std::chrono::nanoseconds(kMax / 1000);
  CHECK(RunRangeQuery(source, Metric(text), range));
  range.step = 1ns;
  CHECK_FALSE(RunRangeQuery(source, Metric(text), range));
}

TEST_CASE("an entry is seen by the steps whose windows contain it", "[logql][windows]") {
  // Steps 100, 110, 120, 130; each sees (t - 25, t].
  Windows windows(StepGrid{100, 10, 4}, 25ns, 0ns);
  CHECK(windows.start_ns() == 76);
  CHECK(windows.end_ns() == 131);
  CHECK_FALSE(windows.StepsSeeing(75));
  CHECK(windows.StepsSeeing(76) == StepSpan{0, 0});
  CHECK(windows.StepsSeeing(85) == StepSpan{0, 0});
  CHECK(windows.StepsSeeing(86) == StepSpan{0, 1});
  CHECK(windows.StepsSeeing(100) == StepSpan{0, 2});
  CHECK(windows.StepsSeeing(101) == StepSpan{1, 2});
  CHECK(windows.StepsSeeing(130) == StepSpan{3, 3});
  CHECK_FALSE(windows.StepsSeeing(131));
}

TEST_CASE("an entry between windows is seen by no step", "[logql][windows]") {
  Windows windows(StepGrid{100, 10, 4}, 3ns, 0ns);
  CHECK(windows.StepsSeeing(110) == StepSpan{1, 1});
  CHECK(windows.StepsSeeing(108) == StepSpan{1, 1});
  CHECK_FALSE(windows.StepsSeeing(107));
  CHECK_FALSE(windows.StepsSeeing(101));
}

TEST_CASE("window sums add up, in whatever order amounts arrive", "[logql][windows]") {
  WindowSums sums;
  sums.Add({5, 6}, 10, 8);
  sums.Add({0, 1}, 1, 8);
  sums.Add({6, 7}, 100, 8);
  sums.Add({1, 5}, 1000, 8);
  std::vector<std::int64_t> totals(8, -1);
  sums.ForEach([&](std::size_t step, std::int64_t total) { totals.at(step) = total; });
  CHECK(totals == std::vector<std::int64_t>{1, 1001, 1000, 1000, 1000, 1010, 110, 100});
}

TEST_CASE("window sums occupy what was touched", "[logql][windows]") {
  WindowSums sums;
  sums.Add({10'000, 10'001}, 1, 11'000);
  CHECK(sums.bytes() < 100);
}

TEST_CASE("the labels of an entry are seen as one set, the strongest first", "[logql][labels]") {
  LabelSet stream{{"a", "stream"}, {"b", "stream"}, {"c", "stream"}, {"e", "stream"}};
  LabelSet metadata{{"b", "meta"}, {"c", "meta"}, {"d", "meta"}};
  EntryLabels labels;
  labels.Reset(stream, metadata);
  labels.SetParsed("c", "parsed");
  labels.SetParsed("f", "parsed");
  CHECK(labels.Get("a") == "stream");
  CHECK(labels.Get("b") == "meta");
  CHECK(labels.Get("c") == "parsed");
  CHECK(labels.Get("nope").empty());
  LabelSet want{{"a", "stream"}, {"b", "meta"},   {"c", "parsed"},
                {"d", "meta"},   {"e", "stream"}, {"f", "parsed"}};
  CHECK(labels.Folded() == want);
  CHECK(FoldLabels(labels.Stream(), labels.Metadata(), labels.Parsed()) == want);

  SECTION("removing one removes every kind of it") {
    labels.Remove("c");
    labels.Remove("a");
    CHECK(labels.Get("c").empty());
    CHECK(labels.Folded() ==
          LabelSet{{"b", "meta"}, {"d", "meta"}, {"e", "stream"}, {"f", "parsed"}});
    CHECK(labels.Stream() == LabelSet{{"b", "stream"}, {"e", "stream"}});
    CHECK(labels.Metadata() == LabelSet{{"b", "meta"}, {"d", "meta"}});
    CHECK(labels.Parsed() == LabelSet{{"f", "parsed"}});
  }
  SECTION("one that was removed can be made again") {
    labels.Remove("a");
    labels.SetParsed("a", "new");
    CHECK(labels.Get("a") == "new");
    CHECK(labels.Folded().Get("a") == "new");
  }
  SECTION("the next entry starts afresh") {
    labels.Remove("a");
    LabelSet none;
    labels.Reset(stream, none);
    CHECK(labels.Folded() == stream);
  }
}

TEST_CASE("a pipeline is used for one entry after another", "[logql][pipeline]") {
  auto pipeline = Pipeline::Compile(Log(R"({a="1"} |= "x" | level="info" | drop level)").stages);
  REQUIRE(pipeline);
  LabelSet stream{{"a", "1"}};
  LabelSet info{{"level", "info"}};
  LabelSet warn{{"level", "warn"}};
  ProcessedEntry out;
  CHECK(pipeline->Process({1, stream, info, "x1"}, out));
  CHECK(out.line == "x1");
  CHECK(out.labels.Folded() == stream);
  CHECK_FALSE(pipeline->Process({2, stream, warn, "x2"}, out));
  CHECK_FALSE(pipeline->Process({3, stream, info, "y"}, out));
  CHECK(pipeline->Process({4, stream, info, "x4"}, out));
  CHECK(out.line == "x4");
}

}  // namespace
}  // namespace dunlin::logql
