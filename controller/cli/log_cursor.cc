#include "controller/cli/log_cursor.h"

#include <algorithm>
#include <limits>

#include "protocol/base/checksum.h"

namespace dunlin::cli {

std::vector<FoundEntry> SeenEntries::TakeNew(std::vector<FoundEntry> entries) {
  std::map<Identity, std::uint32_t> in_answer;
  std::vector<FoundEntry> fresh;
  for (FoundEntry& entry : entries) {
    Identity identity(entry.time_ns, Checksum(entry.line, entry.labels.Hash()));
    std::uint32_t nth = ++in_answer[identity];
    std::uint32_t& shown = counts_[identity];
    if (nth <= shown) continue;
    shown = nth;
    ++size_;
    fresh.push_back(std::move(entry));
  }
  return fresh;
}

void SeenEntries::Forget(Counts::iterator first, Counts::iterator last) {
  for (auto it = first; it != last; ++it) size_ -= it->second;
  counts_.erase(first, last);
}

void SeenEntries::ForgetBefore(std::int64_t time_ns) {
  Forget(counts_.begin(), counts_.lower_bound({time_ns, 0}));
}

void SeenEntries::ForgetFrom(std::int64_t time_ns) {
  Forget(counts_.lower_bound({time_ns, 0}), counts_.end());
}

std::int64_t SeenEntries::TimeOfNewest(std::uint64_t count) const {
  std::uint64_t newer = 0;
  for (auto it = counts_.rbegin(); it != counts_.rend(); ++it) {
    newer += it->second;
    if (newer > count) return it->first.first + 1;
  }
  return std::numeric_limits<std::int64_t>::min();
}

RangePager::RangePager(std::int64_t start_ns, std::int64_t end_ns, std::uint64_t limit,
                       bool newest_first)
    : page_{start_ns, end_ns, 0}, left_(limit), newest_first_(newest_first) {}

std::optional<LogPage> RangePager::Next() const {
  if (done_ || left_ == 0 || page_.start_ns >= page_.end_ns) return std::nullopt;
  LogPage page = page_;
  // Room for those that the page repeats.
  page.limit = std::min<std::uint64_t>(kMaxPageEntries, left_ + seen_.size());
  return page;
}

std::vector<FoundEntry> RangePager::Take(std::vector<FoundEntry> page) {
  std::uint64_t asked = std::min<std::uint64_t>(kMaxPageEntries, left_ + seen_.size());
  if (page.size() < asked) done_ = true;
  if (page.empty()) return {};
  std::int64_t last_ns = page.back().time_ns;
  std::vector<FoundEntry> fresh = seen_.TakeNew(std::move(page));
  if (fresh.size() > left_) fresh.resize(left_);
  left_ -= fresh.size();
  // A full page of one time that is seen already: nothing further of that time can be asked for.
  bool stuck = fresh.empty();
  if (newest_first_) {
    page_.end_ns = stuck ? last_ns : last_ns + 1;
    seen_.ForgetFrom(last_ns + 1);
  } else {
    page_.start_ns = stuck ? last_ns + 1 : last_ns;
    seen_.ForgetBefore(last_ns);
  }
  return fresh;
}

FollowCursor::FollowCursor(std::int64_t floor_ns, const std::vector<FoundEntry>& shown)
    : floor_ns_(floor_ns), newest_ns_(floor_ns) {
  for (const FoundEntry& entry : shown) newest_ns_ = std::max(newest_ns_, entry.time_ns);
  seen_.TakeNew(shown);
}

std::int64_t FollowCursor::RoundStart(std::int64_t now_ns) const {
  // An entry from a clock that is ahead must not hide those of the others.
  std::int64_t newest = std::min(newest_ns_, now_ns);
  std::int64_t back = std::max(newest - kOverlap.count(), seen_.TimeOfNewest(kOverlapEntries));
  return std::max(floor_ns_, std::min(newest, back));
}

LogPage FollowCursor::Next(std::int64_t now_ns) {
  std::int64_t start = resume_ns_ ? *resume_ns_ : RoundStart(now_ns);
  if (!resume_ns_) seen_.ForgetBefore(start);
  constexpr std::int64_t kAhead = std::chrono::nanoseconds(std::chrono::minutes(5)).count();
  return {start, std::max(now_ns, newest_ns_) + kAhead, kMaxPageEntries};
}

std::vector<FoundEntry> FollowCursor::Take(const LogPage& asked, std::vector<FoundEntry> page) {
  bool full = page.size() >= asked.limit;
  std::int64_t last_ns = page.empty() ? asked.start_ns : page.back().time_ns;
  newest_ns_ = std::max(newest_ns_, last_ns);
  resume_ns_.reset();
  // A page full of one time would be answered again and again: go past it.
  if (full) resume_ns_ = last_ns > asked.start_ns ? last_ns : last_ns + 1;
  return seen_.TakeNew(std::move(page));
}

}  // namespace dunlin::cli
