#include "controller/cli/log_cursor.h"

#include <algorithm>

#include "protocol/base/text.h"
#include "tests/support/catch.h"

namespace dunlin::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

FoundEntry Entry(std::int64_t time_ns, std::string line) { return {time_ns, {}, std::move(line)}; }

/// A collector's side of query_range: start inclusive, end exclusive, cut at the limit.
struct Log {
  std::vector<FoundEntry> entries;

  void Add(std::int64_t time_ns, std::string line) {
    auto at = std::upper_bound(
        entries.begin(), entries.end(), time_ns,
        [](std::int64_t time, const FoundEntry& entry) { return time < entry.time_ns; });
    entries.insert(at, Entry(time_ns, std::move(line)));
  }

  std::vector<FoundEntry> Query(const LogPage& page, bool newest_first) const {
    std::vector<FoundEntry> found;
    for (const FoundEntry& entry : entries) {
      if (entry.time_ns >= page.start_ns && entry.time_ns < page.end_ns) found.push_back(entry);
    }
    if (newest_first) std::reverse(found.begin(), found.end());
    if (found.size() > page.limit) found.resize(page.limit);
    return found;
  }
};

std::vector<std::string> Lines(const std::vector<FoundEntry>& entries) {
  std::vector<std::string> lines;
  for (const FoundEntry& entry : entries) lines.push_back(entry.line);
  return lines;
}

std::vector<FoundEntry> ReadAll(const Log& log, std::uint64_t limit, bool newest_first) {
  RangePager pager(0, INT64_MAX, limit, newest_first);
  std::vector<FoundEntry> all;
  for (int pages = 0; auto page = pager.Next(); ++pages) {
    REQUIRE(pages < 100);
    REQUIRE(page->limit <= kMaxPageEntries);
    auto fresh = pager.Take(log.Query(*page, newest_first));
    all.insert(all.end(), fresh.begin(), fresh.end());
  }
  return all;
}

/// One round of following: every page that it asks for.
std::vector<std::string> Round(FollowCursor& cursor, const Log& log, std::int64_t now_ns) {
  std::vector<std::string> lines;
  for (int pages = 0;; ++pages) {
    REQUIRE(pages < 100);
    LogPage page = cursor.Next(now_ns);
    for (std::string& line : Lines(cursor.Take(page, log.Query(page, false)))) {
      lines.push_back(std::move(line));
    }
    if (!cursor.more()) return lines;
  }
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("a range longer than a page is read whole and in order", "[cli][cursor]") {
  bool newest_first = GENERATE(false, true);
  // Three entries per time, two of them alike, so that pages end within a time.
  Log log;
  for (std::int64_t i = 0; i < 18'000; ++i) {
    log.Add(1000 + i / 3, i % 3 == 0 ? Join("line ", i) : Join("pair ", i / 3));
  }
  auto all = ReadAll(log, 1'000'000, newest_first);
  auto want = log.entries;
  if (newest_first) std::reverse(want.begin(), want.end());
  CHECK(all == want);
}

TEST_CASE("a limit counts what is shown", "[cli][cursor]") {
  auto limit = GENERATE(1U, 2U, 4999U, 5000U, 5001U, 7000U);
  bool newest_first = GENERATE(false, true);
  CAPTURE(limit, newest_first);
  Log log;
  for (std::int64_t i = 0; i < 9'000; ++i) log.Add(i / 7, Join("line ", i));
  auto all = ReadAll(log, limit, newest_first);
  auto want = log.entries;
  if (newest_first) std::reverse(want.begin(), want.end());
  want.resize(limit);
  CHECK(all == want);
}

TEST_CASE("more alike entries at one time than a page holds do not stop the reading",
          "[cli][cursor]") {
  Log log;
  for (int i = 0; i < 6'000; ++i) log.Add(5, "same");
  log.Add(1, "before");
  log.Add(9, "after");
  CHECK(ReadAll(log, 100'000, false).back().line == "after");
  CHECK(ReadAll(log, 100'000, true).back().line == "before");
}

TEST_CASE("an empty range asks at most once", "[cli][cursor]") {
  RangePager none(5, 5, 10, false);
  CHECK_FALSE(none.Next());
  RangePager pager(0, 10, 10, false);
  REQUIRE(pager.Next());
  CHECK(pager.Take({}).empty());
  CHECK_FALSE(pager.Next());
}

TEST_CASE("following shows each entry once", "[cli][cursor]") {
  Log log;
  FollowCursor cursor(0, {});
  log.Add(10 * kSecond, "one");
  log.Add(10 * kSecond, "two");
  CHECK(Round(cursor, log, 10 * kSecond) == Strings{"one", "two"});
  CHECK(Round(cursor, log, 11 * kSecond).empty());
  log.Add(11 * kSecond, "three");
  CHECK(Round(cursor, log, 11 * kSecond) == Strings{"three"});
}

TEST_CASE("an entry of a time already shown is not lost, nor are alike ones", "[cli][cursor]") {
  Log log;
  FollowCursor cursor(0, {});
  log.Add(10 * kSecond, "tick");
  CHECK(Round(cursor, log, 10 * kSecond) == Strings{"tick"});
  log.Add(10 * kSecond, "tick");
  log.Add(10 * kSecond, "tock");
  CHECK(Round(cursor, log, 10 * kSecond) == Strings{"tick", "tock"});
  CHECK(Round(cursor, log, 10 * kSecond).empty());
}

TEST_CASE("entries with the same line in different streams are different", "[cli][cursor]") {
  SeenEntries seen;
  CHECK(seen.TakeNew({{1, LabelSet{{"c", "1"}}, "x"}}).size() == 1);
  CHECK(seen.TakeNew({{1, LabelSet{{"c", "1"}}, "x"}, {1, LabelSet{{"c", "2"}}, "x"}}).size() == 1);
}

TEST_CASE("a late entry is shown late", "[cli][cursor]") {
  Log log;
  FollowCursor cursor(0, {});
  log.Add(100 * kSecond, "newer");
  CHECK(Round(cursor, log, 100 * kSecond) == Strings{"newer"});
  log.Add(97 * kSecond, "older");
  CHECK(Round(cursor, log, 100 * kSecond) == Strings{"older"});
  CHECK(Round(cursor, log, 101 * kSecond).empty());
}

TEST_CASE("a clock that is ahead does not hide the others", "[cli][cursor]") {
  Log log;
  FollowCursor cursor(0, {});
  log.Add(160 * kSecond, "from the future");
  CHECK(Round(cursor, log, 100 * kSecond) == Strings{"from the future"});
  log.Add(101 * kSecond, "from now");
  CHECK(Round(cursor, log, 101 * kSecond) == Strings{"from now"});
  CHECK(Round(cursor, log, 102 * kSecond).empty());
}

TEST_CASE("what was shown before following is not shown again, nor what was left out before it",
          "[cli][cursor]") {
  Log log;
  log.Add(10 * kSecond, "left out");
  log.Add(11 * kSecond, "shown");
  FollowCursor cursor(11 * kSecond, {log.entries[1]});
  CHECK(Round(cursor, log, 12 * kSecond).empty());
  log.Add(12 * kSecond, "new");
  CHECK(Round(cursor, log, 12 * kSecond) == Strings{"new"});
}

TEST_CASE("following keeps up with more than a page between two rounds", "[cli][cursor]") {
  Log log;
  FollowCursor cursor(0, {});
  std::size_t shown = 0;
  std::int64_t time = 10 * kSecond;
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 7'000; ++i) log.Add(time + i / 3, Join(round, " ", i));
    shown += Round(cursor, log, time).size();
    CHECK(shown == log.entries.size());
    time += kSecond;
  }
}

TEST_CASE("a round reads back no more than its bounds", "[cli][cursor]") {
  Log log;
  FollowCursor cursor(0, {});
  for (int i = 0; i < 4'000; ++i) log.Add(100 * kSecond + i, Join(i));
  Round(cursor, log, 101 * kSecond);
  LogPage page = cursor.Next(101 * kSecond);
  CHECK(log.Query(page, false).size() == FollowCursor::kOverlapEntries);
  log.Add(200 * kSecond, "later");
  Round(cursor, log, 200 * kSecond);
  CHECK(cursor.Next(200 * kSecond).start_ns == 195 * kSecond);
}

}  // namespace dunlin::cli
