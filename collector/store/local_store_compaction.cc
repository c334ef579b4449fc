// The store's merge thread: small segments into large ones, and their publication.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "collector/store/compaction_policy.h"
#include "collector/store/damage.h"
#include "collector/store/local_store.h"
#include "collector/store/segment_merge.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

constexpr std::chrono::seconds kTick{1};
/// After a failure, which is likely a full disk.
constexpr std::chrono::minutes kRetryInterval{1};

/// Lets every other thread go first. Not SCHED_IDLE, under which a busy machine would hardly ever
/// merge, and a lock held would be held for long.
void BePatient() {
  constexpr int kNicest = 19;
  if (::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNicest) != 0) {
    log::Warn("cannot lower the priority of merging", {});
  }
}

bool Contains(const std::vector<SegmentPtr>& segments, const SegmentPtr& segment) {
  return std::find(segments.begin(), segments.end(), segment) != segments.end();
}

}  // namespace

Result<void> LocalStore::Compact() {
  std::unique_lock lock(view_mutex_);
  std::uint64_t wanted = ++compactions_wanted_;
  std::uint64_t failures = compaction_failures_;
  view_changed_.notify_all();
  view_changed_.wait(lock, [&] {
    return compactions_done_ >= wanted || compaction_failures_ > failures || stopping_;
  });
  if (compaction_failures_ > failures) return *compaction_error_;
  if (compactions_done_ < wanted) return Error(ErrorCode::kUnavailable, "the store is stopping");
  return {};
}

void LocalStore::RunMerges() {
  // Where all merging is asked for, somebody waits for it.
  if (options_.compact_by_itself) BePatient();
  std::optional<SteadyTime> not_before;
  std::unique_lock lock(view_mutex_);
  auto asked = [&] { return compactions_wanted_ > compactions_done_; };
  while (!stopping_) {
    view_changed_.wait_for(lock, kTick, [&] { return stopping_ || asked(); });
    for (;;) {
      // Looked at anew for each merge: whoever waits for all does not wait for what has no hurry.
      const bool full = asked();
      const std::uint64_t wanted = compactions_wanted_;
      bool by_itself =
          options_.compact_by_itself && (!not_before || clock_.Steady() >= *not_before);
      if (stopping_ || (!full && !by_itself)) break;
      lock.unlock();
      auto merged = MergeNext(full);
      lock.lock();
      if (!merged) {
        log::Warn("cannot merge segments, will try again", {{"error", merged.error().message()}});
        not_before = clock_.Steady() + kRetryInterval;
        NoteCompactionFailure(merged.error());
        break;
      }
      if (*merged) continue;
      if (!full) break;
      if (!stopping_) compactions_done_ = std::max(compactions_done_, wanted);
      view_changed_.notify_all();
    }
  }
}

/// With view_mutex_ held.
void LocalStore::NoteCompactionFailure(const Error& error) {
  ++compaction_failures_;
  compaction_error_ = error;
  compactions_done_ = compactions_wanted_;  // all of them are answered with it
  view_changed_.notify_all();
}

LocalStore::Segments LocalStore::SelectSources(bool full) {
  std::shared_ptr<const Segments> segments = CurrentView().segments;
  Segments mergeable;
  std::vector<MergeCandidate> candidates;
  for (const SegmentPtr& segment : *segments) {
    const SegmentFacts& facts = segment->facts();
    if (unmergeable_.contains(facts.id)) continue;
    mergeable.push_back(segment);
    candidates.push_back(
        {facts.day, segment->provenance().level, facts.line_bytes, facts.created_ns});
  }
  Segments chosen;
  auto indexes = full ? SelectFullMerge(candidates, options_.compaction)
                      : SelectMerge(candidates, NowNs(), options_.compaction);
  for (std::size_t index : indexes) chosen.push_back(mergeable[index]);
  return chosen;
}

std::optional<Error> LocalStore::MergeInterruption(const Segments& sources) const {
  if (stopping_) return Error(ErrorCode::kCancelled, "the store is stopping");
  if (disk_.full()) return Error(ErrorCode::kExhausted, "the disk is full");
  bool expired = std::any_of(sources.begin(), sources.end(),
                             [](const SegmentPtr& source) { return source->expired(); });
  if (expired) return Error(ErrorCode::kCancelled, "a segment expired while it was merged");
  return std::nullopt;
}

Result<void> LocalStore::CheckRoomFor(std::uint64_t bytes) {
  auto free = fs_.FreeSpace(options_.data_dir);
  if (!free) return std::move(free).error();
  std::uint64_t wanted = bytes + options_.min_free_bytes;
  if (*free >= wanted && !disk_.full()) return {};
  return Error(ErrorCode::kExhausted, Join("merging needs ", FormatSize(wanted), " of free space, ",
                                           FormatSize(*free), " are free"));
}

Result<bool> LocalStore::MergeNext(bool full) {
  Segments sources = SelectSources(full);
  if (sources.empty()) return false;
  std::uint64_t read_bytes = 0;
  for (const SegmentPtr& source : sources) read_bytes += source->facts().file_bytes;
  if (auto room = CheckRoomFor(read_bytes); !room) return room.error();

  SegmentMerge merge(fs_, {options_.data_dir, options_.compaction.block_bytes}, sources, streams_,
                     [&] { return MergeInterruption(sources); });
  auto merged = merge.Run(NowNs());
  if (!merged) {
    const Error& error = merged.error();
    // Without what expired there may be something else to merge.
    if (error.code() == ErrorCode::kCancelled) return !stopping_;
    Segments guilty;
    if (merge.unreadable()) {
      guilty.push_back(merge.unreadable());
    } else if (error.code() == ErrorCode::kCorruption) {
      guilty = sources;
    }
    if (guilty.empty() || FailureOf(error) == ReadFailure::kResources) return error;
    // Queries go on with what can be read of it, and warn.
    log::Fail("segment cannot be merged and stays as it is", {{"error", error.message()}});
    for (const SegmentPtr& segment : guilty) unmergeable_.insert(segment->facts().id);
    return true;
  }
  compaction_read_bytes_total_ += read_bytes;
  compaction_written_bytes_total_ += (*merged)->facts().file_bytes;
  ++compactions_total_;

  std::unique_lock lock(view_mutex_);
  merged_ = Merged{std::move(*merged), std::move(sources)};
  view_changed_.notify_all();
  view_changed_.wait(lock, [&] { return !merged_ || stopping_; });
  return true;
}

void LocalStore::PublishMerged() {
  std::lock_guard publishing(publish_mutex_);
  std::optional<Merged> merged;
  {
    std::lock_guard lock(view_mutex_);
    merged = merged_;
  }
  if (!merged) return;
  const SegmentFacts& facts = merged->segment->facts();
  // Changed under publish_mutex_ only. When a source has expired, the record that removed it has
  // also settled that no record lists the merged segment, even if an attempt to write one failed.
  const bool current =
      std::all_of(merged->sources.begin(), merged->sources.end(),
                  [&](const SegmentPtr& source) { return Contains(*segments_, source); });
  if (current) {
    ManifestEdit edit;
    edit.added.push_back(facts);
    for (const SegmentPtr& source : merged->sources) edit.removed.push_back(source->facts().id);
    // They hold already, unless the records of the sources are lost one day and this is not.
    edit.covered_lsn = facts.last_lsn;
    edit.next_arrival = facts.end_arrival;
    if (auto done = manifest_->Append(edit, NowNs()); !done) {
      // The record may have been written all the same, so both the merged segment and its sources
      // stay until it is known.
      log::Warn("cannot publish a merged segment, will try again",
                {{"error", done.error().message()}});
      if (done.error().code() == ErrorCode::kExhausted) NoteDiskFull();
      std::lock_guard lock(view_mutex_);
      merged_->failed = true;
      NoteCompactionFailure(done.error());
      return;
    }
  }
  Segments gone = current ? std::move(merged->sources) : Segments{merged->segment};
  {
    auto kept = std::make_shared<Segments>(*segments_);
    if (current) {
      std::erase_if(*kept, [&](const SegmentPtr& segment) { return Contains(gone, segment); });
      kept->push_back(merged->segment);
    }
    std::lock_guard lock(view_mutex_);
    segments_ = std::move(kept);
    merged = std::exchange(*merged_, Merged());  // still there for those who wait until it is done
  }
  merged.reset();
  for (const SegmentPtr& segment : gone) {
    segment->DeleteWhenUnused();
    cache_.Forget(segment.get());
  }
  gone.clear();  // which deletes files, and so holds no lock that readers want
  {
    std::lock_guard lock(view_mutex_);
    merged_.reset();
  }
  view_changed_.notify_all();
}

}  // namespace dunlin::store
