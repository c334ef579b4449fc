#include "collector/store/stream_table.h"

#include <algorithm>

namespace dunlin::store {

StreamPtr StreamTable::Intern(const LabelSet& labels) {
  std::uint64_t hash = labels.Hash();
  std::lock_guard lock(mutex_);
  auto [begin, end] = by_hash_.equal_range(hash);
  for (auto at = begin; at != end; ++at) {
    StreamPtr have = at->second.lock();
    if (have && *have == labels) return have;
  }
  if (by_hash_.size() >= sweep_at_) Sweep();
  auto made = std::make_shared<const LabelSet>(labels);
  by_hash_.emplace(hash, made);
  ++created_total_;
  return made;
}

void StreamTable::Sweep() {
  std::erase_if(by_hash_, [](const auto& item) { return item.second.expired(); });
  sweep_at_ = std::max<std::size_t>(1024, by_hash_.size() * 2);
}

std::size_t StreamTable::size() const {
  std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(
      by_hash_.begin(), by_hash_.end(), [](const auto& item) { return !item.second.expired(); }));
}

std::uint64_t StreamTable::created_total() const {
  std::lock_guard lock(mutex_);
  return created_total_;
}

}  // namespace dunlin::store
