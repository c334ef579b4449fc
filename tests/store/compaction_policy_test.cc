#include "collector/store/compaction_policy.h"

#include <algorithm>
#include <map>

#include "tests/support/catch.h"

namespace dunlin::store {
namespace {

using namespace std::chrono_literals;
using Indexes = std::vector<std::size_t>;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kHour = 3600 * kSecond;

constexpr CompactionRules kRules{.merge_bytes = 1000, .fan_in = 4, .quiet = 1h};

TEST_CASE("fresh segments wait until they are worth a merge", "[store][compaction]") {
  std::vector<MergeCandidate> candidates = {{1, 0, 400, 10}, {1, 0, 400, 20}};
  CHECK(SelectMerge(candidates, 30, kRules).empty());
  SECTION("by their text") {
    candidates.push_back({1, 0, 200, 5});
    CHECK(SelectMerge(candidates, 30, kRules) == Indexes{2, 0, 1});
  }
  SECTION("by their number") {
    candidates = {{1, 0, 1, 10}, {1, 0, 1, 20}, {1, 0, 1, 30}};
    CHECK(SelectMerge(candidates, 30, kRules).empty());
    candidates.push_back({1, 0, 1, 40});
    CHECK(SelectMerge(candidates, 30, kRules) == Indexes{0, 1, 2, 3});
  }
  SECTION("by nothing else coming") {
    CHECK(SelectMerge(candidates, 20 + kHour - 1, kRules).empty());
    CHECK(SelectMerge(candidates, 20 + kHour, kRules) == Indexes{0, 1});
  }
}

TEST_CASE("a merge takes about as much as it should, the oldest first", "[store][compaction]") {
  std::vector<MergeCandidate> candidates = {
      {1, 0, 600, 40}, {1, 0, 600, 30}, {1, 0, 600, 20}, {1, 0, 600, 10}};
  CHECK(SelectMerge(candidates, 50, kRules) == Indexes{3, 2});
  candidates[3].line_bytes = 5000;
  CHECK(SelectMerge(candidates, 50, kRules) == Indexes{3, 2});
}

TEST_CASE("one segment from a head is rewritten when that saves something", "[store][compaction]") {
  CHECK(SelectMerge({{1, 0, 7, 0}}, kHour, {.merge_bytes = 1024}).empty());
  CHECK(SelectMerge({{1, 0, 8, 0}}, kHour, {.merge_bytes = 1024}) == Indexes{0});
  CHECK(SelectMerge({{1, 1, 8, 0}}, kHour, {.merge_bytes = 1024}).empty());
}

TEST_CASE("merged segments are merged again only when many are small", "[store][compaction]") {
  std::vector<MergeCandidate> candidates = {
      {1, 1, 249, 10}, {1, 1, 249, 20}, {1, 1, 249, 30}, {1, 1, 250, 40}};
  CHECK(SelectMerge(candidates, 100 * kHour, kRules).empty());
  candidates[3].line_bytes = 249;
  CHECK(SelectMerge(candidates, 50, kRules) == Indexes{0, 1, 2, 3});
  candidates[3].level = 2;
  CHECK(SelectMerge(candidates, 50, kRules).empty());
}

TEST_CASE("days are never mixed, and the newest comes first", "[store][compaction]") {
  std::vector<MergeCandidate> candidates = {
      {1, 0, 900, 10}, {2, 0, 900, 20}, {1, 0, 900, 30}, {2, 0, 900, 40}};
  CHECK(SelectMerge(candidates, 50, kRules) == Indexes{1, 3});
  CHECK(SelectFullMerge(candidates, kRules) == Indexes{0, 2});
}

TEST_CASE("a full merge ends with one small merged segment a day", "[store][compaction]") {
  CHECK(SelectFullMerge({}, kRules).empty());
  CHECK(SelectFullMerge({{1, 0, 9, 0}}, kRules) == Indexes{0});
  CHECK(SelectFullMerge({{1, 1, 9, 0}, {2, 3, 9, 0}}, kRules).empty());
  CHECK(SelectFullMerge({{1, 1, 9, 0}, {2, 3, 9, 0}, {2, 1, 9, 0}}, kRules) == Indexes{1, 2});
}

TEST_CASE("a full merge leaves alone what is merged and large", "[store][compaction]") {
  CHECK(SelectFullMerge({{1, 1, 250, 0}, {1, 1, 600, 0}}, kRules).empty());
  CHECK(SelectFullMerge({{1, 1, 250, 0}, {1, 1, 249, 0}}, kRules).empty());
  CHECK(SelectFullMerge({{1, 1, 600, 0}, {1, 0, 9, 0}, {1, 0, 600, 0}}, kRules) == Indexes{1, 2});
}

/// A day of a store that takes entries and merges segments, in bytes only.
class SimulatedDay {
 public:
  /// What files take of their text: blocks of a head are made cheaply, merged ones well.
  static constexpr double kHeadRatio = 0.15;
  static constexpr double kMergedRatio = 0.10;

  void Head(std::uint64_t line_bytes) {
    segments_.push_back({0, 0, line_bytes, now_ns_});
    written_text_ += line_bytes;
    written_bytes_ += static_cast<double>(line_bytes) * kHeadRatio;
    Merge();
  }

  void Pass(std::int64_t ns) {
    now_ns_ += ns;
    Merge();
  }

  std::int64_t now_ns() const { return now_ns_; }
  std::size_t segments() const { return segments_.size(); }
  std::size_t most_segments() const { return most_segments_; }
  std::uint64_t text() const {
    std::uint64_t text = 0;
    for (const MergeCandidate& segment : segments_) text += segment.line_bytes;
    return text;
  }
  /// How often each byte of text was written.
  double text_factor() const {
    return static_cast<double>(written_text_) / static_cast<double>(text());
  }
  /// All bytes of files written, by those that stay.
  double bytes_factor() const {
    double stays = 0;
    for (const MergeCandidate& segment : segments_) stays += BytesOf(segment);
    return written_bytes_ / stays;
  }

 private:
  static double BytesOf(const MergeCandidate& segment) {
    return static_cast<double>(segment.line_bytes) *
           (segment.level == 0 ? kHeadRatio : kMergedRatio);
  }

  void Merge() {
    for (;;) {
      auto chosen = SelectMerge(segments_, now_ns_, CompactionRules());
      if (chosen.empty()) break;
      MergeCandidate merged{0, 0, 0, now_ns_};
      for (std::size_t index : chosen) {
        merged.level = std::max(merged.level, segments_[index].level + 1);
        merged.line_bytes += segments_[index].line_bytes;
      }
      std::sort(chosen.rbegin(), chosen.rend());
      for (std::size_t index : chosen) {
        segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(index));
      }
      segments_.push_back(merged);
      written_text_ += merged.line_bytes;
      written_bytes_ += BytesOf(merged);
    }
    most_segments_ = std::max(most_segments_, segments_.size());
  }

  std::vector<MergeCandidate> segments_;
  std::int64_t now_ns_ = 0;
  std::uint64_t written_text_ = 0;
  double written_bytes_ = 0;
  std::size_t most_segments_ = 0;
};

TEST_CASE("over a day nothing is written more than three times and segments stay few",
          "[store][compaction]") {
  constexpr std::uint64_t kHeadBytes = 48_MiB;
  constexpr std::int64_t kHeadAge = kHour / 2;
  // Bytes a second, and how many minutes of every so many something comes.
  auto [rate, on_minutes, every_minutes] = GENERATE(table<std::uint64_t, int, int>({
      {10, 1, 1},
      {1000, 1, 1},
      {30'000, 1, 1},
      {1'000'000, 1, 1},
      {10'000'000, 1, 1},
      {1000, 1, 120},       // a little now and then
      {100'000, 70, 200},   // two heads, then a pause
      {3'000'000, 10, 90},  // bursts
  }));
  SimulatedDay day;
  std::uint64_t head = 0;
  std::int64_t head_since = 0;
  for (int minute = 0; minute < 24 * 60; ++minute) {
    if (minute % every_minutes < on_minutes) {
      if (head == 0) head_since = day.now_ns();
      head += rate * 60;
    }
    while (head >= kHeadBytes) {
      day.Head(kHeadBytes);
      head -= kHeadBytes;
    }
    if (head > 0 && day.now_ns() - head_since >= kHeadAge) {
      day.Head(head);
      head = 0;
    }
    day.Pass(kHour / 60);
  }
  if (head > 0) day.Head(head);
  for (int minute = 0; minute < 3 * 60; ++minute) day.Pass(kHour / 60);
  CAPTURE(rate, on_minutes, every_minutes, day.segments(), day.most_segments());
  CAPTURE(day.text_factor(), day.bytes_factor());
  CHECK(day.text_factor() <= 3);
  CHECK(day.bytes_factor() <= 3);
  CompactionRules rules;
  std::size_t large = day.text() / (rules.merge_bytes / 4);
  CHECK(day.segments() <= large + rules.fan_in);
  CHECK(day.most_segments() <= large + 2 * rules.fan_in);
}

TEST_CASE("a store that is restarted all the time keeps few segments", "[store][compaction]") {
  SimulatedDay day;
  for (int restart = 0; restart < 5000; ++restart) {
    day.Head(10'000);
    day.Pass(10 * kSecond);
  }
  day.Pass(2 * kHour);
  CAPTURE(day.text_factor());
  // One level for each power of the fan-in.
  CHECK(day.most_segments() <= 4 * 16);
  CHECK(day.text_factor() <= 5);
}

}  // namespace
}  // namespace dunlin::store
