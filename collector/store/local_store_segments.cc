// The store's segment thread: heads to disk, and what expires from it.
#include <algorithm>

#include "collector/store/damage.h"
#include "collector/store/local_store.h"
#include "collector/store/retention.h"
#include "collector/store/segment_writer.h"
#include "protocol/base/log.h"

namespace dunlin::store {
namespace {

constexpr std::chrono::seconds kTick{1};
constexpr std::chrono::minutes kRetentionInterval{1};
/// On a full disk what has expired is wanted back at once.
constexpr std::chrono::seconds kRetentionIntervalWhenFull{5};

}  // namespace

void LocalStore::RunSegments() {
  std::unique_lock lock(view_mutex_);
  for (;;) {
    view_changed_.wait_for(lock, kTick, [&] {
      return frozen_ != nullptr || writer_stopped_ || (merged_ && !merged_->failed);
    });
    bool writer_stopped = writer_stopped_;
    bool published = true;
    if (frozen_) {
      lock.unlock();
      published = PublishFrozen().has_value();
      lock.lock();
      if (!published && writer_stopped) return;  // the WAL has it all
    } else if (writer_stopped) {
      lock.unlock();
      bool more = FreezeHead();
      lock.lock();
      if (!more) return;
    }
    if (writer_stopped) continue;
    lock.unlock();
    PublishMerged();
    RunPeriodically();
    lock.lock();
    if (published) continue;
    std::uint64_t waiting = flushes_waiting_;
    view_changed_.wait_for(lock, kTick,
                           [&] { return writer_stopped_ || flushes_waiting_ > waiting; });
  }
}

void LocalStore::RunPeriodically() {
  const SteadyTime now = clock_.Steady();
  std::shared_ptr<const Head> head;
  {
    std::lock_guard lock(view_mutex_);
    head = active_;
  }
  if (head->rows() > 0 && now - head->created() >= options_.head_age) {
    queue_.AskForFreeze();
  }
  disk_.Check();
  std::chrono::nanoseconds interval = kRetentionInterval;
  if (disk_.full()) interval = kRetentionIntervalWhenFull;
  if (!retention_run_ || now - *retention_run_ >= interval) {
    retention_run_ = now;
    if (auto done = ApplyRetention(); !done) {
      log::Warn("retention failed", {{"error", done.error().message()}});
    }
  }
}

Result<void> LocalStore::PublishFrozen() {
  std::lock_guard publishing(publish_mutex_);
  std::shared_ptr<Frozen> frozen;
  {
    std::lock_guard lock(view_mutex_);
    frozen = frozen_;
  }
  const Head& head = *frozen->head;
  auto attempt = [&]() -> Result<Segments> {
    if (!frozen->written) {
      auto written = WriteSegments(fs_, options_.data_dir, head, NowNs());
      if (!written) return std::move(written).error();
      frozen->written = std::move(*written);
    }
    Segments added;
    for (const SegmentFacts& facts : *frozen->written) {
      auto segment = SegmentReader::Open(fs_, PathOf(facts), streams_);
      if (!segment) {
        // What did not reach the disk as it was written is written anew next time. The files stay:
        // a failed manifest write may have listed them; if not, the next start removes them.
        if (FailureOf(segment.error()) == ReadFailure::kDamaged) frozen->written.reset();
        return std::move(segment).error();
      }
      added.push_back(std::move(*segment));
    }
    ManifestEdit edit;
    edit.added = *frozen->written;
    edit.covered_lsn = head.last_lsn();
    edit.next_arrival = head.end_arrival();
    edit.dedup_changes = frozen->dedup_changes;
    if (auto done = manifest_->Append(edit, NowNs()); !done) return done.error();
    return added;
  };
  auto added = attempt();
  if (!added) {
    log::Warn("cannot write a segment, will try again", {{"error", added.error().message()}});
    if (added.error().code() == ErrorCode::kExhausted) NoteDiskFull();
    std::lock_guard lock(view_mutex_);
    ++publish_failures_;
    publish_error_ = added.error();
    view_changed_.notify_all();
    return std::move(added).error();
  }
  segments_written_total_ += added->size();
  {
    std::lock_guard lock(view_mutex_);
    auto segments = std::make_shared<Segments>(*segments_);
    segments->insert(segments->end(), added->begin(), added->end());
    segments_ = std::move(segments);
    frozen_.reset();
    publish_error_.reset();
    memory_refusal_.reset();
  }
  view_changed_.notify_all();
  if (wal_) wal_->RemoveCovered(head.last_lsn());
  return {};
}

RetentionRules LocalStore::RetentionRulesNow() const {
  RetentionRules rules;
  if (options_.retention_age.count() > 0) {
    rules.expired_before_ns = NowNs() - options_.retention_age.count();
  }
  rules.max_bytes = options_.retention_bytes;
  std::uint64_t free = disk_.free_bytes();
  if (free < options_.retention_free_bytes)
    rules.missing_bytes = options_.retention_free_bytes - free;
  return rules;
}

Result<void> LocalStore::ApplyRetention() {
  std::lock_guard publishing(publish_mutex_);
  std::shared_ptr<const Segments> segments = segments_;  // changed under publish_mutex_ only
  RetentionRules rules = RetentionRulesNow();
  ManifestEdit edit;
  edit.losses_until_ns = rules.expired_before_ns;
  std::vector<Expired> expired = SelectExpired(*segments, rules);
  for (const Expired& item : expired) edit.removed.push_back(item.segment->facts().id);
  bool forgets = std::any_of(losses_.begin(), losses_.end(), [&](const Loss& loss) {
    return loss.span.max_ns < edit.losses_until_ns;
  });
  if (expired.empty() && !forgets) return {};
  if (auto done = manifest_->Append(edit, NowNs()); !done) {
    if (done.error().code() == ErrorCode::kExhausted) NoteDiskFull();
    return done;
  }
  {
    std::lock_guard lock(view_mutex_);
    auto kept = std::make_shared<Segments>(*segments_);
    std::erase_if(*kept, [&](const auto& segment) {
      return std::any_of(expired.begin(), expired.end(),
                         [&](const Expired& item) { return item.segment == segment; });
    });
    segments_ = std::move(kept);
    losses_ = manifest_->state().losses;
  }
  for (const Expired& item : expired) {
    ++segments_expired_total_[static_cast<std::size_t>(item.reason)];
    item.segment->DeleteWhenUnused();
    cache_.Forget(item.segment.get());
  }
  return {};
}

}  // namespace dunlin::store
