#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/units.h"
#include "protocol/wire/batch.h"
#include "shipper/batcher.h"
#include "shipper/drop_reason.h"
#include "shipper/spool/gap_list.h"
#include "shipper/spool/spool_batch.h"

namespace dunlin::shipper {

enum class WhenFull {
  kDropOldest,  // make room by dropping; a gap marker takes their place
  kBlock,       // never drop: has_room() tells capture to stop reading
};

struct QueueOptions {
  std::size_t limit_bytes = 4_MiB;  // of frames held, and of SetBufferBytes
  WhenFull when_full = WhenFull::kDropOldest;
};

/// A batch as it waits: its frame, which never changes, and what that holds.
struct SealedBatch {
  std::string frame;
  std::uint64_t sequence = 0;
  Totals totals{};
  SteadyTime first_entry{};
  std::vector<wire::Gap> gaps{};  // the markers in the frame
  LogTime oldest_entry{};         // its first entry by the wall clock
};

/// A batch for the disk, copied: the queue goes on beside the disk worker.
struct UnwrittenBatch {
  SpoolBatchInfo info;
  std::string frame;
};

/// A batch on its way: its frame, and the last of the sequences that it stands for.
struct OutgoingBatch {
  std::string_view frame;
  std::uint64_t sequence;
};

/// Sealed batches in memory from sealing to acknowledgement, oldest first.
///
/// A batch has its sequence when it comes. Until it is sent it may be dropped: one batch of gap
/// markers then stands in its place, and for all dropped beside it, so that the numbering has no
/// hole and a long outage costs one small batch. A batch that was ever sent is not dropped, because
/// the collector may have stored it: it is either acknowledged or rejected, so no line is counted
/// twice. The sender keeps what is sent and unacknowledged well below the limit, so there is always
/// something to drop.
///
/// With UseDisk, memory is a cache of what lies on disk. Every batch is handed out to be written,
/// oldest first; of those written, the oldest unsent lose their bytes in memory when it is full,
/// and come back through OnRead in time to be sent. Dropping is for what is not on disk: when the
/// disk fails or is slower than the process. Order in memory and numbering stay as they are:
/// sent batches, those read back, a stretch that is on disk alone, those in memory. One thread.
class Queue {
 public:
  explicit Queue(QueueOptions options = {}) : options_(options) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  /// Until a frame of this size fits: forgets the bytes of batches that are on disk, and, with
  /// kDropOldest, drops the oldest unsent ones that are not.
  void MakeRoom(std::size_t frame_bytes);
  /// Adds the newest batch, numbered next_sequence(). With kDropOldest, drops the oldest unsent
  /// ones until the limit holds, the new one included when nothing else is left.
  void Push(SealedBatch batch);
  /// Whether capture may go on; always with kDropOldest.
  bool has_room() const {
    return options_.when_full == WhenFull::kDropOldest || bytes_ < room_bytes();
  }
  /// What lines take before they are a frame; takes room from the frames, but never more than a
  /// quarter of the limit.
  void SetBufferBytes(std::size_t bytes) {
    buffer_bytes_ = std::min(bytes, options_.limit_bytes / 4);
  }
  bool drops_oldest() const { return options_.when_full == WhenFull::kDropOldest; }
  /// Leaves a gap marker for lines that are counted already, for the next batch to be sealed.
  void Mark(DropReason reason, const Totals& totals) {
    AddGaps(marks_, DropReasonName(reason), totals);
  }
  bool has_marks() const { return !marks_.empty(); }
  /// The markers that wait, for the batch that is being sealed; it may have no lines.
  std::vector<wire::Gap> TakeMarks() { return std::exchange(marks_, {}); }
  /// Adds a batch without lines for the markers that wait.
  void PushMarks(const Clock& clock);
  /// Counts lines that never become a batch, without a gap marker.
  void CountDropped(DropReason reason, const Totals& totals);
  /// Drops everything, counted; nothing can be sent afterwards.
  void DropAll(DropReason reason);

  /// The oldest not yet acknowledged, or the next to come.
  std::uint64_t first_sequence() const {
    return sent_.empty() ? unsent_sequence() : sent_.front().first_sequence;
  }
  /// The oldest never sent, or the next to come.
  std::uint64_t unsent_sequence() const {
    return unsent_.empty() ? next_sequence_ : unsent_.front().first_sequence;
  }
  /// What the next batch to be sealed is numbered.
  std::uint64_t next_sequence() const { return next_sequence_; }
  /// Whether there is a batch to be sent, and in memory.
  bool has_unsent() const { return !unsent_.empty() && !unsent_.front().on_disk_only; }
  /// Whether nothing waits, neither for sending nor for an acknowledgement nor for a batch.
  bool empty() const { return sent_.empty() && unsent_.empty() && marks_.empty(); }

  /// The oldest unsent batch, which is sent from now on. Needs has_unsent(). The view is valid
  /// until the batch is acknowledged or rejected.
  OutgoingBatch TakeUnsent();
  /// The batch taken before that `sequence`, in [first_sequence, unsent_sequence), belongs to.
  OutgoingBatch Sent(std::uint64_t sequence) const;
  /// The batch that `sequence` belongs to, taken before, cannot go to the collector as it is: a gap
  /// takes its place, of the same sequences, with the markers it carried and one of its lines.
  OutgoingBatch GiveUp(std::uint64_t sequence, DropReason reason);
  /// Bytes of the frames taken and not acknowledged.
  std::size_t sent_bytes() const { return sent_bytes_; }

  /// Every batch up to and including `sequence` is durable. False, and nothing changes, when one of
  /// them was never sent.
  bool Acknowledge(std::uint64_t sequence);
  /// This batch will never be stored: its lines are dropped and leave a gap marker. False when it
  /// is not one that is sent and unacknowledged.
  bool Reject(std::uint64_t sequence);

  /// From now on there is a disk.
  void UseDisk() { disk_ = true; }
  /// The queue of another process's spool: what it has on disk, for sending alone.
  void Adopt(std::uint64_t first, std::uint64_t last, const Totals& totals);
  /// Copies of the oldest batches not on disk: about `bytes`, but one at least if there is any.
  /// None of them is dropped before EndWrite.
  std::vector<UnwrittenBatch> BeginWrite(std::size_t bytes);
  /// All handed out up to `through` are on disk; 0: none. `failing`: the disk refuses.
  void EndWrite(std::uint64_t through, bool failing);
  bool has_unwritten() const;
  /// The first sequence that is on disk alone, and the last beside it.
  struct Stretch {
    std::uint64_t first;
    std::uint64_t last;
  };
  std::optional<Stretch> on_disk_only() const;
  /// Whether so little is left in memory in front of it that more should be read.
  bool wants_read() const;
  std::size_t read_ahead_bytes() const;
  /// What the disk has where the stretch begins.
  void OnRead(SpoolBatch batch);
  /// The disk has dropped its oldest: none of them was sent.
  void OnDiskDropped(const SpoolDrop& drop, DropReason reason);
  /// Unsent batches that are on disk and whose first entry is older lose their bytes in memory, so
  /// that the disk may drop them.
  void ForgetOlderThan(LogTime limit);
  /// Of lines(), those that are on disk.
  std::uint64_t spooled_lines() const { return spooled_lines_; }

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
  std::size_t room_bytes() const { return options_.limit_bytes - buffer_bytes_; }

  struct Item {
    std::uint64_t first_sequence = 0;
    std::uint64_t sequence = 0;
    std::string frame;  // of an unsent gap: none yet, as it may grow; of what is on disk: none
    Totals totals{};
    Totals before{};  // all that batches before it accounted for
    SteadyTime first_entry{};
    std::vector<wire::Gap> gaps;  // that it carries
    LogTime oldest_entry{};
    bool rejected = false;
    bool written = false;       // is on disk
    bool on_disk_only = false;  // and nowhere else; the item stands for all from first to last

    bool has_lines() const { return LinesOf(totals) > 0; }
    bool is_open_gap() const { return frame.empty() && !on_disk_only; }
  };

  bool ForgetOneOnDisk();
  void ForgetBytes(std::size_t index);
  bool DropOneUnsent(DropReason reason);
  void MergeGaps(std::size_t index);
  void TakeLines(const Item& item, const Totals& totals);
  std::size_t StretchIndex() const;
  const Totals& SumBefore(std::size_t index) const;
  void EndStretch(std::size_t index);
  void SettleStretches();
  void JoinNext(std::size_t index);
  void AcknowledgeUnsent(std::uint64_t sequence);
  std::size_t SentIndex(std::uint64_t sequence) const;
  static std::string GapFrame(const Item& gap);
  void Forget(Item& item);
  void ForgetRejected();
  void Count(DropReason reason, const Totals& totals);

  QueueOptions options_;
  std::deque<Item> sent_;
  std::deque<Item> unsent_;
  std::vector<wire::Gap> marks_;  // for the next batch sealed
  std::uint64_t next_sequence_ = 1;
  Totals accounted_{};            // by all batches so far
  Totals on_disk_only_totals_{};  // of all stretches together
  bool disk_ = false;
  bool disk_failing_ = false;
  bool adopted_ = false;
  std::uint64_t written_through_ = 0;
  std::uint64_t writing_through_ = 0;  // while a write is on its way
  std::size_t bytes_ = 0;
  std::size_t buffer_bytes_ = 0;
  std::size_t sent_bytes_ = 0;
  std::uint64_t lines_ = 0;
  std::uint64_t spooled_lines_ = 0;
  std::uint64_t acknowledged_lines_ = 0;
  std::uint64_t acknowledged_batches_ = 0;
  std::uint64_t rejected_batches_ = 0;
  DroppedByReason dropped_{};
};

}  // namespace dunlin::shipper
