#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/clock.h"
#include "protocol/base/file_system.h"
#include "protocol/base/result.h"
#include "protocol/base/units.h"
#include "shipper/spool/spool_batch.h"

namespace dunlin::shipper {

struct SpoolOptions {
  /// Of all files of one boot. What was sent and not acknowledged stays even beyond it.
  std::uint64_t limit_bytes = 256_MiB;
  /// A segment whose newest entry is older may be dropped. Zero: never.
  std::chrono::nanoseconds max_age{0};
  /// Space is freed a segment at a time. Zero: an eighth of the limit, at most 8 MiB.
  std::uint64_t segment_bytes = 0;
};

/// The state of a spool in numbers.
struct SpoolAccounts {
  std::uint64_t bytes = 0;    // of its files
  std::uint64_t batches = 0;  // not acknowledged; a gap counts as one
  std::uint64_t segments = 0;
  /// Lines and bytes per output that are not acknowledged: entries, and those that gaps stand for.
  Totals unacknowledged{};
  std::optional<LogTime> oldest_entry;  // of the oldest batch that is not acknowledged
  /// Found since this object was made.
  std::uint64_t damaged_batches = 0;  // records, or stretches between records, that did not survive
  Totals damaged{};                   // what they accounted for
  std::uint64_t foreign_files = 0;    // in the folder and none of ours: left alone
};

/// The on-disk queue of one boot of one agent: batches in the order of their sequences, from
/// sealing to acknowledgement (docs/spool-format.md).
///
/// What holds at every point of a program that is killed, and of calls that fail:
/// - A batch whose Append returned OK is read back, byte for byte, until it is acknowledged or
///   dropped. After a power failure that holds for those before the last Sync() that returned OK.
/// - An Append that failed has appended nothing, and the next one may succeed.
/// - Damage costs the batches whose bytes it touches; they become gaps of exactly their lines.
///
/// Ordinary blocking calls: for the disk worker, never on a loop thread. One thread at a time.
/// Memory: about 150 bytes a segment, whatever the spool holds, and one frame while it is read.
/// Errors keep errno (Error::error_number). They are of the call alone: the object stays usable and
/// consistent after any of them, and every call may be tried again.
class Spool {
 public:
  struct Impl;  // spool_impl.h
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  /// The bytes given to SpoolFolder::Create; of an adopted spool, as its files hold them.
  const std::string& identity() const;
  /// First and last sequence that is neither acknowledged nor absent: `first` > `last` when there
  /// is none. Sequences between them that were never appended read as damage.
  std::uint64_t first_sequence() const;
  std::uint64_t last_sequence() const;
  bool empty() const { return first_sequence() > last_sequence(); }
  SpoolAccounts accounts() const;

  /// Adds the newest batch, `frame` being its whole wire frame: first_sequence above the last one
  /// appended; a hole begins a new file. In the operating system's hands when it returns OK, see
  /// Sync(). Checks no limit: ask over_limit() before. Only for a spool that was created, not
  /// adopted. Errors: kInvalidArgument for sequences that do not rise and a frame that a whole
  /// spool could not hold; kExhausted, kPermissionDenied, kIo as the disk says. Nothing is appended
  /// then.
  Result<void> Append(const SpoolBatchInfo& info, std::string_view frame);

  /// Makes every batch appended so far survive a power failure; nothing else does, kill -9 they
  /// survive without. The owner calls it after each batch, from time to time, or never, as it has
  /// promised. After an error that is unknown, for good, for those since the last success; later
  /// ones go to a new file.
  Result<void> Sync();

  enum class Unreadable {
    kFail,  // bytes the disk does not give are an error: try again later
    kLose,  // they are damage
  };
  /// The batch that has `sequence`, or the gap that takes its place. Fastest in rising order; going
  /// back costs a search through one segment's headers. Errors: kNotFound outside of
  /// first_sequence..last_sequence; with kFail as the disk says.
  Result<SpoolBatch> Read(std::uint64_t sequence, Unreadable unreadable = Unreadable::kFail);

  /// Every batch up to and including `sequence` is durable elsewhere: it is never read again, not
  /// even by the next owner, and segments wholly acknowledged are removed. That holds for this
  /// object even when an error is returned; the files follow with the next call. Beyond
  /// last_sequence() it acknowledges what there is.
  Result<void> Acknowledge(std::uint64_t sequence);

  /// Whether something should be dropped before `incoming_bytes` more are appended.
  bool over_limit(std::uint64_t incoming_bytes) const;
  /// Whether the oldest segment that DropOldest would take is older than max_age.
  bool too_old(std::uint64_t first_unsent, LogTime now) const;
  /// Replaces the oldest segment all of whose batches are `first_unsent` or above by a gap of a
  /// hundred bytes, with `reason` for its entries. Nothing when there is no such segment; the owner
  /// calls again while over_limit(). The owner sends none of `first_unsent` or above until this has
  /// returned, and afterwards sends the gap in their place. After an error nothing is dropped.
  Result<std::optional<SpoolDrop>> DropOldest(std::uint64_t first_unsent, std::string_view reason);

 private:
  friend class SpoolFolder;
  explicit Spool(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::shipper
