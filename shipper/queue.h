#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/units.h"
#include "protocol/wire/batch.h"
#include "shipper/batcher.h"
#include "shipper/drop_reason.h"

namespace dunlin::shipper {

enum class WhenFull {
  kDropOldest,  // make room by dropping; a gap marker takes their place
  kBlock,       // never drop: has_room() tells capture to stop reading
};

struct QueueOptions {
  std::size_t limit_bytes = 4_MiB;  // of frames held
  WhenFull when_full = WhenFull::kDropOldest;
};

/// A batch as it waits: a frame without sequence and gaps, and what it holds.
struct SealedBatch {
  std::string frame;
  Totals totals{};
  SteadyTime first_entry{};
  Totals limited{};  // what the rate limit has left out of it: counted, and to be marked with it
};

/// Sealed batches in memory from sealing to acknowledgement, oldest first.
///
/// A batch gets its sequence when it is taken for sending for the first time; from then on its
/// bytes never change. Until then it may be dropped, and what is dropped leaves no hole in the
/// numbering: the next batch taken carries gap markers, at the place in the order where the lines
/// are missing. A batch that was ever sent is not dropped, because the collector may have stored
/// it: it is either acknowledged or rejected, so no line is counted twice. The sender keeps what is
/// sent and unacknowledged well below the limit, so there is always something to drop. One thread.
class Queue {
 public:
  explicit Queue(QueueOptions options = {}) : options_(options) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  /// With kDropOldest, drops the oldest unsent batches until a frame of this size fits, or none is
  /// left.
  void MakeRoom(std::size_t frame_bytes);
  /// Adds the newest batch. With kDropOldest, drops the oldest unsent ones until the limit holds,
  /// the new one included when nothing else is left.
  void Push(SealedBatch batch);
  /// Whether capture may go on; always with kDropOldest.
  bool has_room() const {
    return options_.when_full == WhenFull::kDropOldest || bytes_ < options_.limit_bytes;
  }
  /// Leaves a gap marker for lines that are counted and have no batch to go with.
  void Mark(DropReason reason, const Totals& totals) { AddGaps(gaps_, reason, totals); }
  /// Counts lines that never become a batch, without a gap marker.
  void CountDropped(DropReason reason, const Totals& totals);
  /// Drops everything, counted; nothing can be sent afterwards.
  void DropAll(DropReason reason);

  /// The oldest batch not yet acknowledged, or the next to come.
  std::uint64_t first_sequence() const { return next_sequence_ - sent_.size(); }
  /// The sequence that TakeUnsent will give.
  std::uint64_t next_sequence() const { return next_sequence_; }
  bool has_unsent() const { return !unsent_.empty() || !gaps_.empty(); }
  /// Whether nothing waits, neither for sending nor for an acknowledgement.
  bool empty() const { return sent_.empty() && !has_unsent(); }

  /// Gives the oldest unsent batch, or an empty one when only gaps wait, its sequence. Needs
  /// has_unsent(). The view is valid until the batch is acknowledged or rejected.
  std::string_view TakeUnsent();
  /// The frame of a batch taken before; `sequence` is in [first_sequence, next_sequence).
  std::string_view SentFrame(std::uint64_t sequence) const;
  /// Bytes of the frames taken and not acknowledged.
  std::size_t sent_bytes() const { return sent_bytes_; }

  /// Every batch up to and including `sequence` is durable. False, and nothing changes, when one of
  /// them was never sent.
  bool Acknowledge(std::uint64_t sequence);
  /// This batch will never be stored: its lines are dropped and leave a gap marker. False when it
  /// is not one that is sent and unacknowledged.
  bool Reject(std::uint64_t sequence);

  std::size_t bytes() const { return bytes_; }
  std::size_t batches() const { return sent_.size() + unsent_.size(); }
  std::uint64_t lines() const { return lines_; }
  std::uint64_t acknowledged_lines() const { return acknowledged_lines_; }
  std::uint64_t acknowledged_batches() const { return acknowledged_batches_; }
  std::uint64_t rejected_batches() const { return rejected_batches_; }
  const DroppedByReason& dropped() const { return dropped_; }
  /// When the oldest waiting line was read.
  std::optional<SteadyTime> oldest_entry() const;

 private:
  struct Item {
    std::string frame;
    Totals totals{};
    SteadyTime first_entry{};
    std::vector<wire::Gap> gaps;  // that it carries
    bool rejected = false;
  };

  void DropOldestUnsent(DropReason reason);
  void Forget(Item& item);
  void ForgetRejected();
  static void AddGaps(std::vector<wire::Gap>& gaps, DropReason reason, const Totals& totals);
  static void AddGap(std::vector<wire::Gap>& gaps, const wire::Gap& gap);
  void Count(DropReason reason, const Totals& totals);

  QueueOptions options_;
  std::deque<Item> sent_;
  std::deque<Item> unsent_;
  std::vector<wire::Gap> gaps_;  // for the next batch taken
  std::uint64_t next_sequence_ = 1;
  std::size_t bytes_ = 0;
  std::size_t sent_bytes_ = 0;
  std::uint64_t lines_ = 0;
  std::uint64_t acknowledged_lines_ = 0;
  std::uint64_t acknowledged_batches_ = 0;
  std::uint64_t rejected_batches_ = 0;
  DroppedByReason dropped_{};
};

}  // namespace dunlin::shipper
