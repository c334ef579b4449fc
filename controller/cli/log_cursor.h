#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "controller/cli/log_answer.h"

namespace dunlin::cli {

/// Tells entries already shown from new ones when a range is read again. Entries are alike when
/// time, labels and line are; of alike ones it counts how many were shown.
class SeenEntries {
 public:
  /// The entries of one answer that were not shown before; they are now.
  std::vector<FoundEntry> TakeNew(std::vector<FoundEntry> entries);
  void ForgetBefore(std::int64_t time_ns);
  void ForgetFrom(std::int64_t time_ns);
  /// How many entries it remembers.
  std::uint64_t size() const { return size_; }

  /// The earliest time from which on at most `count` entries were seen.
  std::int64_t TimeOfNewest(std::uint64_t count) const;

 private:
  using Identity = std::pair<std::int64_t, std::uint64_t>;  // time and a hash of the rest
  using Counts = std::map<Identity, std::uint32_t>;
  void Forget(Counts::iterator first, Counts::iterator last);

  Counts counts_;
  std::uint64_t size_ = 0;
};

/// One request of query_range: start inclusive, end exclusive.
struct LogPage {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::uint64_t limit = 0;

  friend bool operator==(const LogPage&, const LogPage&) = default;
};

/// What the collector gives at most in one answer.
inline constexpr std::uint64_t kMaxPageEntries = 5000;

/// Reads up to `limit` entries of a range in pages, in one direction. A page that was cut at its
/// limit may have been cut between entries of one time, so the next one begins with that time again
/// and what was seen is left out. Pure: ask Next(), fetch, give the answer to Take().
class RangePager {
 public:
  RangePager(std::int64_t start_ns, std::int64_t end_ns, std::uint64_t limit, bool newest_first);

  /// The page to fetch; nothing when the range or the limit is used up.
  std::optional<LogPage> Next() const;
  /// What of the fetched page is to be shown.
  std::vector<FoundEntry> Take(std::vector<FoundEntry> page);

 private:
  LogPage page_;
  std::uint64_t left_;
  bool newest_first_;
  bool done_ = false;
  SeenEntries seen_;
};

/// Follows a query as time goes on: each round reads forward from a little before the newest entry
/// shown, so that entries which arrive late (agents send batches up to a second old, each stream on
/// its own) are shown late but not lost, and none twice. Pure, as RangePager.
class FollowCursor {
 public:
  /// How far back a round looks for late entries, at most, and through how many it has shown.
  static constexpr std::chrono::nanoseconds kOverlap = std::chrono::seconds(5);
  static constexpr std::uint64_t kOverlapEntries = kMaxPageEntries / 2;

  /// Shows what comes at or after `floor_ns`, without `shown`.
  FollowCursor(std::int64_t floor_ns, const std::vector<FoundEntry>& shown);

  /// The next page to fetch: up to now and what other machines' clocks may be ahead.
  LogPage Next(std::int64_t now_ns);
  /// What of the fetched page is new.
  std::vector<FoundEntry> Take(const LogPage& asked, std::vector<FoundEntry> page);
  /// The page was cut at its limit: fetch the next at once.
  bool more() const { return resume_ns_.has_value(); }

 private:
  std::int64_t RoundStart(std::int64_t now_ns) const;

  std::int64_t floor_ns_;
  std::int64_t newest_ns_;
  std::optional<std::int64_t> resume_ns_;  // where this round goes on
  SeenEntries seen_;
};

}  // namespace dunlin::cli
