// Scans against a brute-force evaluation of the same request over the same entries, in every state
// that entries can be in.
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "collector/store/line_matcher.h"
#include "protocol/base/text.h"
#include "tests/store/scan_oracle.h"
#include "tests/store/store_fixture.h"

namespace dunlin::store {
namespace {

/// An entry with its place in the order of arrival.
using Oracle = std::vector<TestEntry>;

std::vector<TestEntry> Expected(const Oracle& oracle, const ScanRequest& request) {
  std::vector<OracleFilter> filters(request.line_filters.begin(), request.line_filters.end());
  std::vector<TestEntry> matching;
  for (const TestEntry& entry : oracle) {
    bool matches = entry.time_ns >= request.start_ns && entry.time_ns < request.end_ns &&
                   (!request.stream_matches || request.stream_matches(entry.stream)) &&
                   std::all_of(filters.begin(), filters.end(),
                               [&](const auto& filter) { return filter.Accepts(entry.line); });
    if (matches) matching.push_back(entry);
  }
  std::stable_sort(matching.begin(), matching.end(),
                   [](const auto& a, const auto& b) { return a.time_ns < b.time_ns; });
  if (request.order == Order::kDescending) std::reverse(matching.begin(), matching.end());
  return matching;
}

auto Key(const TestEntry& entry) {
  return std::tuple(entry.time_ns, entry.line, entry.stream, entry.metadata);
}

void Compare(StoreFixture& fixture, const Oracle& oracle, Generator& generator) {
  ScanRequest request = generator.Request();
  auto expected = Expected(oracle, request);
  std::size_t limit = generator.Below(4) == 0 ? generator.Below(20) + 1 : SIZE_MAX;
  if (generator.Below(2) == 0) request.limit = limit;
  auto found = fixture.Scan(request, limit);
  CHECK(fixture.last_stats().warnings.empty());
  std::string filters;
  for (const LineFilter& filter : request.line_filters) {
    filters += Join(filter.negated ? " not " : " ", filter.pattern, ",");
  }
  CAPTURE(request.start_ns, request.end_ns, filters, static_cast<int>(request.order), limit);
  if (request.order == Order::kUnordered) {
    auto by_key = [](const auto& a, const auto& b) { return Key(a) < Key(b); };
    std::sort(found.begin(), found.end(), by_key);
    std::sort(expected.begin(), expected.end(), by_key);
    if (limit < expected.size()) {
      CHECK(found.size() == limit);
      CHECK(std::includes(expected.begin(), expected.end(), found.begin(), found.end(), by_key));
      return;
    }
  } else {
    expected.resize(std::min(expected.size(), limit));
  }
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    REQUIRE(found[i] == expected[i]);
  }
}

TEST_CASE("scans agree with a brute-force oracle in every state", "[store][scan]") {
  auto seed = GENERATE(range(1, 13));
  Generator generator(static_cast<std::uint64_t>(seed));
  StoreFixture fixture;
  fixture.options.head_bytes = 64'000;
  fixture.options.wal_file_bytes = 32'000;
  // Small enough that merged segments have blocks to cut and to copy.
  if (seed % 3 != 0) fixture.options.compaction.block_bytes = 500;
  fixture.Open();
  Oracle oracle;
  for (int step = 0; step < 60; ++step) {
    CAPTURE(seed, step);
    switch (generator.Below(12)) {
      case 0:
        fixture.Flush();
        break;
      case 1:
        fixture.CrashAndReopen();
        break;
      case 2:
        fixture.Close();
        fixture.Open();
        break;
      case 3:
        fixture.Compact();
        break;
      default: {
        auto entries = generator.Batch();
        fixture.Store1(entries);
        oracle.insert(oracle.end(), entries.begin(), entries.end());
        break;
      }
    }
    for (int i = 0; i < 4; ++i) Compare(fixture, oracle, generator);
  }
  StoreStats stats = fixture.store().Stats();
  CHECK(stats.lines == oracle.size());
}

TEST_CASE("any bytes come back as they went in", "[store][scan]") {
  StoreFixture fixture;
  fixture.Open();
  std::vector<TestEntry> entries;
  auto add = [&](std::string line) {
    auto time_ns = static_cast<std::int64_t>(entries.size());
    entries.push_back({time_ns, StreamOf("web"), std::move(line), {}});
  };
  for (int byte = 0; byte < 256; ++byte) add(std::string(1, static_cast<char>(byte)));
  add("");
  add("\n");
  add("\n\n\r\n");
  add(std::string(1 << 20, 'x'));
  std::mt19937_64 random(1);
  for (int i = 0; i < 50; ++i) {
    std::string line(random() % 5000, '\0');
    for (char& c : line) c = static_cast<char>(random());
    add(std::move(line));
  }
  fixture.Store1(entries);
  CHECK(fixture.ScanAll() == entries);
  fixture.Flush();
  CHECK(fixture.ScanAll() == entries);
  fixture.CrashAndReopen();
  CHECK(fixture.ScanAll() == entries);
}

TEST_CASE("a line larger than a block comes back whole", "[store][scan]") {
  StoreFixture fixture;
  fixture.Open();
  std::string huge(9 << 20, 'h');
  huge[5 << 20] = '\n';
  std::vector<TestEntry> entries = {{1, StreamOf("web"), "before", {}},
                                    {2, StreamOf("web"), huge, {}},
                                    {3, StreamOf("web"), "after", {}}};
  fixture.Store1(entries);
  fixture.Flush();
  CHECK(fixture.ScanAll() == entries);
}

TEST_CASE("newest first reads only the blocks it needs", "[store][scan]") {
  StoreFixture fixture;
  fixture.Open();
  for (int segment = 0; segment < 5; ++segment) {
    std::vector<TestEntry> entries;
    for (int i = 0; i < 100; ++i) {
      entries.push_back({segment * 1000 + i, StreamOf("web"), "line " + std::to_string(i), {}});
    }
    fixture.Store1(entries);
    fixture.Flush();
  }
  auto found = fixture.Scan(fixture.Everything(Order::kDescending), 10);
  REQUIRE(found.size() == 10);
  CHECK(found[0].time_ns == 4099);
  CHECK(fixture.last_stats().blocks_read == 1);
  // The next page needs no block at all: it is kept.
  ScanRequest older = fixture.Everything(Order::kDescending);
  older.end_ns = found.back().time_ns;
  CHECK(fixture.Scan(older, 10).front().time_ns == 4089);
  CHECK(fixture.last_stats().blocks_read == 0);
}

TEST_CASE("a scan can be cancelled", "[store][scan]") {
  StoreFixture fixture;
  fixture.Open();
  fixture.Store1({{1, StreamOf("web"), "a", {}}});
  std::atomic<bool> cancelled{true};
  ScanRequest request = fixture.Everything(GENERATE(Order::kAscending, Order::kDescending));
  request.cancelled = &cancelled;
  auto stats = fixture.store().Scan(request, [](const ScannedRow&) { return true; });
  REQUIRE_FALSE(stats);
  CHECK(stats.error().code() == ErrorCode::kCancelled);
}

TEST_CASE("the stream predicate is called once per stream", "[store][scan]") {
  StoreFixture fixture;
  fixture.Open();
  for (int round = 0; round < 3; ++round) {
    fixture.Store1({{round, StreamOf("web"), "a", {}}, {round, StreamOf("db"), "b", {}}});
    if (round < 2) fixture.Flush();
  }
  std::map<std::string, int> calls;
  ScanRequest request = fixture.Everything();
  request.stream_matches = [&](const LabelSet& labels) {
    ++calls[labels.ToString()];
    return labels.Get("service") == "db";
  };
  CHECK(fixture.Scan(request).size() == 3);
  CHECK(calls.size() == 2);
  for (const auto& [labels, count] : calls) CHECK(count == 1);
}

TEST_CASE("streams are listed by time", "[store][scan]") {
  StoreFixture fixture;
  fixture.Open();
  fixture.Store1({{100, StreamOf("old"), "a", {}}});
  fixture.Flush();
  fixture.Store1({{200, StreamOf("new"), "b", {}}});
  auto names = [&](std::int64_t start_ns, std::int64_t end_ns) {
    std::set<std::string> services;
    for (const LabelSet& labels : fixture.store().Streams(start_ns, end_ns)) {
      services.insert(std::string(labels.Get("service")));
    }
    return services;
  };
  CHECK(names(0, 1000) == std::set<std::string>{"new", "old"});
  CHECK(names(0, 150) == std::set<std::string>{"old"});
  CHECK(names(150, 1000) == std::set<std::string>{"new"});
  CHECK(names(0, 100).empty());
  CHECK(fixture.store().Stats().streams == 2);
}

/// Whole-buffer selection must agree with looking at each line alone.
TEST_CASE("block search agrees with line search", "[store][scan]") {
  using Kind = LineFilter::Kind;
  auto filter = GENERATE(values<LineFilter>({
      {Kind::kRegex, false, "^a"},        {Kind::kRegex, false, "b$"},
      {Kind::kRegex, false, "^$"},        {Kind::kRegex, true, "^$"},
      {Kind::kRegex, false, "a\\s+b"},    {Kind::kRegex, false, "a[^x]*b"},
      {Kind::kRegex, false, "\\bab\\b"},  {Kind::kRegex, false, "\\Ba"},
      {Kind::kRegex, false, "\\Aa"},      {Kind::kRegex, false, "b\\z"},
      {Kind::kRegex, false, "(?s)a.b"},   {Kind::kRegex, false, "(?i)AB"},
      {Kind::kRegex, false, "(?i:A)b"},   {Kind::kRegex, false, "(?-m)^a"},
      {Kind::kRegex, false, "(?P<n>a)b"}, {Kind::kRegex, false, "(a|b)+$"},
      {Kind::kRegex, false, "\\n"},       {Kind::kRegex, false, ".*"},
      {Kind::kRegex, false, "\\Qa b\\E"}, {Kind::kContains, false, "ab"},
      {Kind::kContains, false, "a\nb"},   {Kind::kContains, true, "ab"},
      {Kind::kContains, false, "\n"},     {Kind::kRegex, false, "a|^b|$"},
  }));
  auto matcher = LineMatcher::Create({filter});
  REQUIRE(matcher);
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    bool with_newlines = round % 3 == 0;
    std::string text;
    std::vector<std::uint32_t> ends;
    std::vector<std::uint32_t> expected;
    bool newline_inside = false;
    for (std::uint32_t row = 0; row < 1 + random() % 400; ++row) {
      std::string line;
      for (std::size_t n = random() % 6; n > 0; --n) {
        line += "ab Bx\n"[random() % (with_newlines ? 6 : 5)];
      }
      newline_inside = newline_inside || line.find('\n') != std::string::npos;
      if ((*matcher)->Matches(line)) expected.push_back(row);
      text += line;
      ends.push_back(static_cast<std::uint32_t>(text.size()));
      text += '\n';
    }
    std::vector<std::uint32_t> rows;
    (*matcher)->Select(
        text, newline_inside, [&]() -> const std::vector<std::uint32_t>& { return ends; }, rows);
    CAPTURE(filter.pattern, filter.negated, text);
    REQUIRE(rows == expected);
  }
}

}  // namespace
}  // namespace dunlin::store
