#include <string>
#include <variant>

#include "collector/logql/evaluate.h"
#include "collector/logql/parse.h"
#include "collector/logql/print.h"
#include "protocol/base/check.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/logql/memory_source.h"

namespace dunlin::logql {
namespace {

MemorySource Entries() {
  MemorySource source;
  source.Add({1, LabelSet{{"a", "1"}}, {}, "one"});
  source.Add({2, LabelSet{{"a", "1"}}, LabelSet{{"b", "5"}}, "x\xff\n\"two\""});
  source.Add({2, LabelSet{{"a", "2"}, {"b", "1.5s"}}, LabelSet{{"b", "10KB"}}, ""});
  source.Add({9, LabelSet{{"c", "3"}}, {}, "nine"});
  return source;
}

/// A metric query gives a sample for every step it has one for, or says why not.
void Evaluate(const MetricQuery& query) {
  MemorySource source = Entries();
  RangeQueryParams params;
  params.end_ns = 20;
  params.step = std::chrono::nanoseconds(3);
  auto range = RunRangeQuery(source, query, params);
  InstantQueryParams last;
  last.time_ns = 18;
  auto instant = RunInstantQuery(source, query, last);
  if (!range) return;
  Check(instant.has_value(), "an instant of a good range is good");
  for (const Series& series : range->series) {
    Check(!series.samples.empty(), "no series is empty");
  }
}

void Evaluate(const LogQuery& query) {
  MemorySource source = Entries();
  LogQueryParams params;
  params.end_ns = 20;
  auto result = RunLogQuery(source, query, params);
  if (!result) return;
  std::size_t grouped = 0;
  for (const ResultStream& stream : GroupByStream(result->entries, LabelView::kFolded)) {
    grouped += stream.entries.size();
  }
  Check(grouped == result->entries.size(), "every entry is in one stream");
}

}  // namespace
}  // namespace dunlin::logql

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dunlin;
  using namespace dunlin::logql;
  std::string_view text = FuzzInput(data, size).rest();
  auto query = Parse(text);
  if (!query) {
    Check(query.error().message().starts_with("parse error"), "a refusal has its form");
    return 0;
  }
  std::string printed = Print(*query);
  auto again = Parse(printed, {.max_query_bytes = printed.size()});
  Check(again.has_value(), "what is printed is a query");
  Check(Print(*again) == printed, "the print is stable");
  std::visit([](const auto& one) { Evaluate(one); }, *query);
  return 0;
}
