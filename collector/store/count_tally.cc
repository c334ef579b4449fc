#include "collector/store/count_tally.h"

#include <algorithm>

namespace dunlin::store {
namespace {

constexpr std::size_t kMaxKnown = 1024;  // sets of metadata of one stream

}  // namespace

std::optional<std::size_t> GroupTable::Of(const LabelSet* stream, const LabelSet& shown) {
  std::lock_guard lock(mutex_);
  ByMetadata& of_stream = known_[stream];
  if (auto found = of_stream.find(shown); found != of_stream.end()) return found->second;
  auto group = request_.group_of(*stream, shown);
  // Where every row has metadata of its own, remembering it would only cost memory.
  if (of_stream.size() < kMaxKnown) of_stream.emplace(shown, group);
  return group;
}

std::optional<std::size_t> GroupTable::OfWhole(const LabelSet* stream, const LabelSet& metadata) {
  std::vector<LabelSet::Label> shown;
  for (const LabelSet::Label& label : metadata) {
    if (request_.metadata.Has(label.first)) shown.push_back(label);
  }
  return Of(stream, LabelSet(std::move(shown)));
}

bool CountMemory::Take(std::uint64_t bytes) {
  if (bytes_.fetch_add(bytes) + bytes <= max_bytes_) return true;
  bytes_ -= bytes;
  exceeded_ = true;
  return false;
}

bool Tally::Cover(CountedGroup& group, std::size_t interval) {
  std::vector<RowCount>& intervals = group.intervals;
  if (intervals.empty()) group.first = interval;
  std::size_t before = 0;
  std::size_t after = 0;
  if (interval < group.first) {
    // Rows may come newest first: growing in proportion keeps that linear.
    before = std::max(group.first - interval, std::min(group.first, intervals.size()));
  } else {
    after = interval - group.first + 1 - intervals.size();
  }
  std::size_t needed = intervals.size() + before + after;
  std::uint64_t bytes = 0;
  if (needed > intervals.capacity()) {
    std::size_t capacity = std::max(needed, 2 * intervals.capacity());
    bytes = (capacity - intervals.capacity()) * sizeof(RowCount);
    if (!memory_.Take(bytes)) return false;
    taken_ += bytes;
    intervals.reserve(capacity);
  }
  intervals.insert(intervals.begin(), before, RowCount());
  intervals.resize(needed);
  group.first -= before;
  return true;
}

void Tally::Merge(const Tally& other) {
  for (const auto& [number, from] : other.groups_) {
    CountedGroup& into = Group(number);
    for (std::size_t i = 0; i < from.intervals.size(); ++i) {
      if (from.intervals[i].rows > 0) Add(into, from.first + i, from.intervals[i]);
    }
  }
}

std::uint64_t Tally::rows() const {
  std::uint64_t rows = 0;
  for (const auto& [number, group] : groups_) {
    for (const RowCount& count : group.intervals) rows += count.rows;
  }
  return rows;
}

std::vector<CountedGroup> Tally::Take() && {
  std::size_t size = 0;
  for (const auto& [number, group] : groups_) size = std::max(size, number + 1);
  std::vector<CountedGroup> groups(size);
  for (auto& [number, group] : groups_) groups[number] = std::move(group);
  return groups;
}

}  // namespace dunlin::store
