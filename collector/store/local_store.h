#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "collector/store/append_queue.h"
#include "collector/store/block_reader.h"
#include "collector/store/dedup.h"
#include "collector/store/disk_guard.h"
#include "collector/store/manifest.h"
#include "collector/store/recovery.h"
#include "collector/store/retention.h"
#include "collector/store/scan_pool.h"
#include "collector/store/segment_merge.h"
#include "collector/store/store.h"
#include "collector/store/view.h"
#include "collector/store/wal_outage.h"
#include "collector/store/wal_writer.h"

namespace dunlin::store {

/// The store in a folder; see Store.
///
/// The writer thread takes queued batches, decides about duplicates, commits groups to the WAL and
/// puts rows into the active head; a full head is frozen and handed to the segment thread, which
/// writes and publishes it. One frozen head at a time: while it is being written and both together
/// take one and a half times head_bytes, the writer waits, the queue fills and Append refuses.
///
/// The merge thread makes one segment of several; the segment thread publishes it, like all others,
/// because it is not held up by the low priority of merging.
///
/// Locks, in the order in which they nest: publish_mutex_, view_mutex_; dedup_mutex_ and those of
/// the members are never held with another.
class LocalStore final : public Store {
 public:
  static Result<std::unique_ptr<LocalStore>> Open(FileSystem& fs, const Clock& clock,
                                                  StoreOptions options,
                                                  std::shared_ptr<const PayloadDecoder> decoder);
  ~LocalStore() override;
  LocalStore(const LocalStore&) = delete;
  LocalStore& operator=(const LocalStore&) = delete;

  void Append(AppendRequest request, AppendDone done) override;
  std::uint64_t NextSequence(const RandomId& agent, const RandomId& boot) override;
  std::vector<LabelSet> Streams(std::int64_t start_ns, std::int64_t end_ns) override;
  Result<ScanStats> Scan(const ScanRequest& request, const Visit& visit) override;
  Result<CountResult> Count(const CountRequest& request) override;
  Result<void> Flush() override;
  Result<void> Compact() override;
  Result<void> ApplyRetention() override;
  std::optional<Error> Refusal() override;
  StoreStats Stats() override;

 private:
  /// A head that takes no more rows, with what publishing it has to record.
  struct Frozen {
    std::shared_ptr<const Head> head;  // shared with the view and its readers
    std::string dedup_changes;
    /// Segments already written for it: a repeated attempt publishes these.
    std::optional<std::vector<SegmentFacts>> written;
  };
  using Segments = std::vector<SegmentPtr>;
  /// A merged segment on its way into the manifest, in the place of its sources.
  struct Merged {
    SegmentPtr segment;
    Segments sources;
    bool failed = false;  // the latest attempt
  };

  LocalStore(FileSystem& fs, const Clock& clock, StoreOptions options);

  // Opening, on the caller's thread.
  Result<void> Recover(const PayloadDecoder& decoder);
  Result<void> Replay(const PayloadDecoder& decoder, const WalFileEntry& file,
                      std::optional<Lsn> end_lsn, Lsn& last_lsn);
  void ReplayRecord(const PayloadDecoder& decoder, const WalFileEntry& file,
                    const WalRecord& record);
  bool IsStored(const WalBatch& batch) const;
  void NoteLoss(TimeSpan span, std::string text);

  // Writer thread.
  void RunWriter();
  void CommitGroup(std::vector<AppendQueue::Item>& group);
  void NoteCommitFailure(const Error& error);
  /// Why nothing can be stored now, if so.
  std::optional<Error> RefusalNow();
  /// Waits until the frozen head is written; false when that cannot be done now, as appends must
  /// not wait for the disk to get well.
  bool WaitForFrozen();
  /// False when there is nothing to freeze, or another head is frozen.
  bool FreezeHead();
  bool IsFrozen();
  /// While heads take all the memory they may: waits, or refuses when waiting is in vain.
  std::optional<Error> WaitForRoom();

  // Segment thread.
  void RunSegments();
  void RunPeriodically();
  Result<void> PublishFrozen();
  RetentionRules RetentionRulesNow() const;
  void PublishMerged();

  // Merge thread.
  void RunMerges();
  /// False when there was nothing to merge.
  Result<bool> MergeNext(bool full);
  Segments SelectSources(bool full);
  std::optional<Error> MergeInterruption(const Segments& sources) const;
  Result<void> CheckRoomFor(std::uint64_t bytes);
  void NoteCompactionFailure(const Error& error);

  // Any thread.
  void NoteDiskFull();
  View CurrentView();
  std::int64_t NowNs() const { return NanosecondsOf(clock_.Now()); }
  std::string PathOf(const SegmentFacts& facts) const;

  FileSystem& fs_;
  const Clock& clock_;
  const StoreOptions options_;
  std::unique_ptr<FileLock> lock_;
  DiskGuard disk_;
  WalOutage outage_;
  StreamTable streams_;
  BlockCache cache_;

  std::unique_ptr<WalWriter> wal_;           // begun when recovery is over
  std::optional<SteadyTime> retention_run_;  // segment thread

  std::set<RandomId> unmergeable_;  // merge thread: segments that it could not read

  std::mutex dedup_mutex_;
  DedupState dedup_;

  AppendQueue queue_;
  std::atomic<bool> stopping_{false};

  /// Held by whoever changes the manifest and the set of segments.
  std::mutex publish_mutex_;
  std::unique_ptr<Manifest> manifest_;

  std::mutex view_mutex_;
  std::condition_variable view_changed_;
  std::shared_ptr<Head> active_;  // shared with readers
  std::shared_ptr<Frozen> frozen_;
  std::shared_ptr<const Segments> segments_;  // shared with readers, replaced whole
  std::vector<Loss> losses_;                  // as in the manifest
  std::vector<Loss> unreadable_;              // listed segments that this run could not read
  std::uint64_t freezes_done_ = 0;
  std::uint64_t freeze_skipped_ = 0;  // the latest that WaitForFrozen did not allow
  std::uint64_t publish_failures_ = 0;
  std::uint64_t flushes_waiting_ = 0;   // counts them
  std::optional<Error> publish_error_;  // of the latest attempt, when it failed
  /// Why entries that memory has no room for are refused, while they are.
  std::optional<Error> memory_refusal_;
  bool writer_stopped_ = false;
  std::optional<Merged> merged_;
  std::uint64_t compactions_wanted_ = 0;  // counts calls of Compact
  std::uint64_t compactions_done_ = 0;
  std::uint64_t compaction_failures_ = 0;
  std::optional<Error> compaction_error_;  // of the latest

  std::atomic<std::uint64_t> duplicates_total_{0};
  std::atomic<std::uint64_t> segments_written_total_{0};
  std::atomic<std::uint64_t> compactions_total_{0};
  std::atomic<std::uint64_t> compaction_read_bytes_total_{0};
  std::atomic<std::uint64_t> compaction_written_bytes_total_{0};
  std::array<std::atomic<std::uint64_t>, kExpiryReasons> segments_expired_total_{};

  ScanPool pool_;
  std::thread writer_;
  std::thread segment_thread_;
  std::thread merge_thread_;
};

}  // namespace dunlin::store
