// The store's writer thread: groups into the log, rows into the head.
#include "collector/store/local_store.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

WalBatch BatchOf(const AppendRequest& request, std::int64_t now_ns) {
  return {request.id,      request.content_hash, now_ns, request.payload_format,
          request.context, request.payload};
}

}  // namespace

void LocalStore::RunWriter() {
  std::uint64_t freezes_done = 0;
  while (auto work = queue_.Take(freezes_done)) {
    // What was appended before a freeze was asked for is part of it.
    if (!work->group.empty()) CommitGroup(work->group);
    bool asked = work->freezes_wanted > freezes_done;
    bool possible = asked ? WaitForFrozen() : !IsFrozen();
    if (possible && (asked || active_->memory_bytes() >= options_.head_bytes)) FreezeHead();
    if (asked) {
      freezes_done = work->freezes_wanted;
      std::lock_guard lock(view_mutex_);
      freezes_done_ = freezes_done;
      if (!possible) freeze_skipped_ = freezes_done;
      view_changed_.notify_all();
    }
  }
}

std::optional<Error> LocalStore::RefusalNow() {
  if (auto outage = outage_.Refusal(clock_.Steady())) return outage;
  disk_.Check();
  if (auto full = disk_.Refusal()) return full;
  return WaitForRoom();
}

void LocalStore::NoteCommitFailure(const Error& error) {
  if (error.code() == ErrorCode::kExhausted) {
    NoteDiskFull();
  } else {
    outage_.OnFailure(error, clock_.Steady());
  }
}

void LocalStore::CommitGroup(std::vector<AppendQueue::Item>& group) {
  std::int64_t now_ns = NowNs();
  // Only this thread changes dedup_, so reading it here needs no lock.
  DedupGroup decisions(dedup_);
  std::vector<AppendOutcome> outcomes;
  std::vector<std::size_t> stored;
  std::vector<WalBatch> batches;
  for (std::size_t i = 0; i < group.size(); ++i) {
    outcomes.push_back(decisions.Decide(group[i].request, now_ns));
    if (outcomes.back() != AppendOutcome::kStored) continue;
    stored.push_back(i);
    batches.push_back(BatchOf(group[i].request, now_ns));
  }

  std::optional<Error> failure;
  if (!stored.empty()) {
    failure = RefusalNow();
    if (!failure) {
      auto first_lsn = wal_->Commit(batches);
      if (first_lsn) {
        outage_.OnSuccess();
        {
          std::lock_guard lock(dedup_mutex_);
          for (const WalBatch& batch : batches) dedup_.Add(batch.id, batch.content_hash, now_ns);
        }
        Lsn lsn = *first_lsn;
        for (std::size_t i : stored) active_->Append(group[i].request.rows, lsn++);
      } else {
        failure = first_lsn.error();
        NoteCommitFailure(*failure);
      }
    }
  }

  // Of a group that failed, only what was durable before is a duplicate.
  DedupGroup again(dedup_);
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (outcomes[i] == AppendOutcome::kDuplicate) ++duplicates_total_;
    bool failed = failure && (outcomes[i] == AppendOutcome::kStored ||
                              again.Decide(group[i].request, now_ns) == AppendOutcome::kStored);
    if (failed) {
      group[i].done(*failure);
    } else {
      group[i].done(outcomes[i]);
    }
  }
}

bool LocalStore::IsFrozen() {
  std::lock_guard lock(view_mutex_);
  return frozen_ != nullptr;
}

std::optional<Error> LocalStore::WaitForRoom() {
  std::unique_lock lock(view_mutex_);
  auto full = [&] {
    if (!frozen_) return false;
    std::uint64_t bytes = frozen_->head->memory_bytes() + active_->memory_bytes();
    return bytes >= options_.head_bytes + options_.head_bytes / 2;
  };
  view_changed_.wait(lock, [&] { return !full() || publish_error_ || stopping_; });
  memory_refusal_.reset();
  if (!full()) return std::nullopt;
  if (!publish_error_) return Error(ErrorCode::kUnavailable, "the store is stopping");
  memory_refusal_ =
      Error(ErrorCode::kExhausted,
            Join("memory is full and entries cannot go to disk: ", publish_error_->message()));
  return memory_refusal_;
}

bool LocalStore::WaitForFrozen() {
  std::unique_lock lock(view_mutex_);
  view_changed_.wait(lock, [&] { return !frozen_ || publish_error_ || stopping_; });
  return !frozen_;
}

bool LocalStore::FreezeHead() {
  if (IsFrozen()) return false;
  if (active_->last_lsn() < active_->first_lsn()) return false;
  auto frozen = std::make_shared<Frozen>();
  frozen->head = active_;
  {
    std::lock_guard lock(dedup_mutex_);
    frozen->dedup_changes = dedup_.TakeChanges();
    dedup_.Expire(NowNs());
  }
  auto next = std::make_shared<Head>(streams_, active_->end_arrival(), active_->last_lsn(),
                                     clock_.Steady());
  {
    std::lock_guard lock(view_mutex_);
    frozen_ = std::move(frozen);
    active_ = std::move(next);
  }
  view_changed_.notify_all();
  return true;
}

}  // namespace dunlin::store
