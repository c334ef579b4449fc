#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "protocol/base/label_set.h"

namespace dunlin::store {

/// Shared because a stream's labels live as long as anything that has entries of it: heads,
/// segments and the scans that read them. Equal sets are one object, so pointers tell streams
/// apart.
using StreamPtr = std::shared_ptr<const LabelSet>;

/// Gives every label set in use one object. Any thread.
class StreamTable {
 public:
  StreamPtr Intern(const LabelSet& labels);

  /// Streams in use now.
  std::size_t size() const;
  /// Sets that were not in use when they came.
  std::uint64_t created_total() const;

 private:
  void Sweep();

  mutable std::mutex mutex_;
  std::unordered_multimap<std::uint64_t, std::weak_ptr<const LabelSet>> by_hash_;
  std::size_t sweep_at_ = 1024;
  std::uint64_t created_total_ = 0;
};

}  // namespace dunlin::store
