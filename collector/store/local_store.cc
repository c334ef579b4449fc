#include "collector/store/local_store.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "collector/store/damage.h"
#include "collector/store/scan.h"
#include "collector/store/segment_writer.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

/// A group ends at whichever comes first: large enough to make syncs cheap, small enough that the
/// first batch of it does not wait for many others.
constexpr std::size_t kMaxGroupRecords = 1024;
constexpr std::uint64_t kMaxGroupBytes = 1_MiB;

constexpr std::chrono::seconds kFreeSpaceAge{1};
constexpr std::chrono::seconds kSegmentThreadTick{1};
constexpr std::chrono::minutes kRetentionInterval{1};
constexpr std::uint64_t kBlockCacheBytes = 32_MiB;

std::uint64_t MemoryOf(const AppendRequest& request) {
  return request.payload.size() + request.context.size() + request.rows.text.size() +
         request.rows.rows.size() * sizeof(Row);
}

WalBatch BatchOf(const AppendRequest& request, std::int64_t now_ns) {
  return {request.id,      request.content_hash, now_ns, request.payload_format,
          request.context, request.payload};
}

}  // namespace

Result<std::unique_ptr<Store>> Store::Open(FileSystem& fs, const Clock& clock, StoreOptions options,
                                           std::shared_ptr<const PayloadDecoder> decoder) {
  auto store = LocalStore::Open(fs, clock, std::move(options), std::move(decoder));
  if (!store) return std::move(store).error();
  return std::unique_ptr<Store>(std::move(*store));
}

LocalStore::LocalStore(FileSystem& fs, const Clock& clock, StoreOptions options)
    : fs_(fs),
      clock_(clock),
      options_(std::move(options)),
      cache_(kBlockCacheBytes),
      segments_(std::make_shared<const Segments>()),
      pool_(options_.scan_threads) {}

Result<std::unique_ptr<LocalStore>> LocalStore::Open(
    FileSystem& fs, const Clock& clock, StoreOptions options,
    std::shared_ptr<const PayloadDecoder> decoder) {
  std::string folder = options.data_dir;
  auto attempt = [&](Error error) { return std::move(error).Wrap("cannot open store " + folder); };
  if (auto made = fs.CreateDirectories(folder); !made) return attempt(made.error());
  auto lock = fs.Lock(folder + "/LOCK");
  if (!lock) return attempt(lock.error());
  std::unique_ptr<LocalStore> store(new LocalStore(fs, clock, std::move(options)));
  store->lock_ = std::move(*lock);
  if (auto recovered = store->Recover(*decoder); !recovered) return attempt(recovered.error());
  store->writer_ = std::thread([s = store.get()] { s->RunWriter(); });
  store->segment_thread_ = std::thread([s = store.get()] { s->RunSegments(); });
  return store;
}

LocalStore::~LocalStore() {
  std::deque<Pending> unanswered;
  {
    std::lock_guard lock(queue_mutex_);
    stopping_ = true;
    unanswered.swap(queue_);
  }
  queue_changed_.notify_all();
  {
    std::lock_guard lock(view_mutex_);  // so that no waiter misses the change
  }
  view_changed_.notify_all();
  for (Pending& pending : unanswered) {
    pending.done(Error(ErrorCode::kUnavailable, "the store is stopping"));
  }
  if (writer_.joinable()) writer_.join();
  {
    std::lock_guard lock(view_mutex_);
    writer_stopped_ = true;
  }
  view_changed_.notify_all();
  if (segment_thread_.joinable()) segment_thread_.join();
}

std::string LocalStore::PathOf(const SegmentFacts& facts) const {
  return Join(options_.data_dir, "/", facts.RelativePath());
}

// Opening.

Result<void> LocalStore::Recover(const PayloadDecoder& decoder) {
  auto files = RecoverFiles(fs_, clock_, options_.data_dir, streams_);
  if (!files) return std::move(files).error();
  manifest_ = std::move(files->manifest);
  segments_ = std::make_shared<const Segments>(std::move(files->segments));
  losses_ = manifest_->state().losses;
  unreadable_ = std::move(files->unreadable);
  dedup_ = manifest_->state().dedup;
  Lsn last_lsn = manifest_->state().covered_lsn;
  active_ =
      std::make_shared<Head>(streams_, manifest_->state().next_arrival, last_lsn, clock_.Steady());

  std::vector<WalWriter::OldFile> old_files;
  std::uint64_t next_number = 1;
  std::size_t losses_before = losses_.size();
  for (std::size_t i = 0; i < files->wal.size(); ++i) {
    const WalFileEntry& file = files->wal[i];
    next_number = file.name.number + 1;
    if (file.never_used) {
      if (auto removed = fs_.Remove(file.path); !removed) return removed;
      continue;
    }
    std::optional<Lsn> end_lsn;
    for (std::size_t later = i + 1; later < files->wal.size() && !end_lsn; ++later) {
      if (!files->wal[later].never_used) end_lsn = files->wal[later].first_lsn;
    }
    if (auto replayed = Replay(decoder, file, end_lsn, last_lsn); !replayed) return replayed;
    old_files.push_back({file.path, file.bytes, last_lsn});
  }
  wal_ = std::make_unique<WalWriter>(
      fs_, clock_,
      WalWriter::Options{Join(options_.data_dir, "/", kWalFolder), options_.wal_file_bytes},
      next_number, last_lsn + 1, std::move(old_files));
  wal_->RemoveCovered(manifest_->state().covered_lsn);
  if (losses_.size() > losses_before) {
    ManifestEdit edit;
    edit.lost.assign(losses_.begin() + static_cast<std::ptrdiff_t>(losses_before), losses_.end());
    if (auto done = manifest_->Append(edit, NowNs()); !done) return done;
    // Covered at once, so that the damaged files go and are not reported again.
    if (!frozen_ && FreezeHead()) {
      if (auto published = PublishFrozen(); !published) {
        log::Warn("cannot write recovered entries to a segment",
                  {{"error", published.error().message()}});
      }
    }
  }
  return {};
}

void LocalStore::NoteLoss(TimeSpan span, std::string text) {
  log::Fail("entries are lost", {{"what", text}});
  losses_.push_back({span, std::move(text)});
}

Result<void> LocalStore::Replay(const PayloadDecoder& decoder, const WalFileEntry& file,
                                std::optional<Lsn> end_lsn, Lsn& last_lsn) {
  Lsn covered = manifest_->state().covered_lsn;
  TimeSpan received;
  auto report = ReadWalFile(fs_, file, end_lsn, [&](const WalRecord& record) {
    received.Add(record.batch.received_ns);
    if (record.lsn > active_->last_lsn()) ReplayRecord(decoder, file, record);
  });
  if (!report) return std::move(report).error();
  if (file.header_damaged || !report->damage.empty()) {
    log::Fail("wal file is damaged", {{"path", file.path}});
    CopyToQuarantine(fs_, options_.data_dir, file.path);
  }
  if (report->torn_bytes > 0) {
    log::Info("dropped an unfinished write at the end of the wal",
              {{"path", file.path}, {"bytes", report->torn_bytes}});
  }
  // When entries were written is not known without them: the time the whole file was written is as
  // close as it gets.
  received.Add(NowNs());
  if (file.first_lsn > last_lsn + 1) {
    NoteLoss(received, Join("WAL records ", last_lsn + 1, " to ", file.first_lsn - 1,
                            " are missing before ", file.path));
  }
  for (const WalDamage& damage : report->damage) {
    if (damage.end_lost <= covered + 1 || damage.first_lost == damage.end_lost) continue;
    NoteLoss(received, Join("WAL records ", damage.first_lost, " to ", damage.end_lost - 1,
                            " are lost: damage at byte ", damage.offset, " of ", file.path));
  }
  last_lsn = std::max(last_lsn, report->last_lsn);
  return {};
}

void LocalStore::ReplayRecord(const PayloadDecoder& decoder, const WalFileEntry& file,
                              const WalRecord& record) {
  const WalBatch& batch = record.batch;
  auto rows = decoder.Decode(batch.payload_format, batch.context, batch.payload);
  if (!rows) {
    CopyToQuarantine(fs_, options_.data_dir, file.path);
    TimeSpan span{batch.received_ns, batch.received_ns};
    NoteLoss(span, Join("WAL record ", record.lsn, " of ", file.path,
                        " cannot be decoded: ", rows.error().message()));
    rows = RowBatch();
  }
  active_->Append(*rows, record.lsn);
  dedup_.Add(batch.id, batch.content_hash, batch.received_ns);
  if (active_->memory_bytes() < options_.head_bytes || frozen_ || !FreezeHead()) return;
  if (auto published = PublishFrozen(); !published) {
    // Likely a full disk: the rest is replayed into memory, and the segment thread tries again.
    log::Warn("cannot write recovered entries to a segment",
              {{"error", published.error().message()}});
  }
}

// The writer thread.

void LocalStore::Append(AppendRequest request, AppendDone done) {
  std::uint64_t bytes = MemoryOf(request);
  std::optional<Error> refused;
  {
    std::lock_guard lock(queue_mutex_);
    if (stopping_) {
      refused = Error(ErrorCode::kUnavailable, "the store is stopping");
    } else if (queued_bytes_ + bytes > options_.max_queued_bytes && !queue_.empty()) {
      refused = Error(ErrorCode::kExhausted,
                      Join("cannot take more: ", queued_bytes_, " bytes wait to be written"));
    } else {
      queued_bytes_ += bytes;
      queue_.push_back({std::move(request), std::move(done), bytes});
    }
  }
  if (refused) {
    done(std::move(*refused));
  } else {
    queue_changed_.notify_one();
  }
}

void LocalStore::RunWriter() {
  std::uint64_t freezes_done = 0;
  for (;;) {
    std::vector<Pending> group;
    std::uint64_t freezes_wanted = 0;
    {
      std::unique_lock lock(queue_mutex_);
      queue_changed_.wait(
          lock, [&] { return stopping_ || !queue_.empty() || freezes_wanted_ > freezes_done; });
      if (stopping_) return;
      freezes_wanted = freezes_wanted_;
      group = TakeGroup();
    }
    // What was appended before a freeze was asked for is part of it.
    if (!group.empty()) CommitGroup(group);
    bool asked = freezes_wanted > freezes_done;
    if (asked || (active_->memory_bytes() >= options_.head_bytes && !IsFrozen())) FreezeHead();
    if (asked) {
      freezes_done = freezes_wanted;
      std::lock_guard lock(view_mutex_);
      freezes_done_ = freezes_done;
      view_changed_.notify_all();
    }
  }
}

std::vector<LocalStore::Pending> LocalStore::TakeGroup() {
  std::vector<Pending> group;
  std::uint64_t bytes = 0;
  while (!queue_.empty() && group.size() < kMaxGroupRecords) {
    std::uint64_t more = queue_.front().request.payload.size();
    if (!group.empty() && bytes + more > kMaxGroupBytes) break;
    bytes += more;
    queued_bytes_ -= queue_.front().bytes;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

std::optional<Error> LocalStore::RefusalNow() {
  if (wal_failed_) {
    return Error(ErrorCode::kIo,
                 "the write-ahead log cannot be written; restart the collector when the disk is "
                 "well again");
  }
  if (!free_checked_ || clock_.Steady() - *free_checked_ >= kFreeSpaceAge) {
    free_checked_ = clock_.Steady();
    auto free = fs_.FreeSpace(options_.data_dir);
    if (!free) return std::move(free).error();
    disk_full_ = *free < options_.min_free_bytes;
    free_bytes_ = *free;
  }
  if (disk_full_) {
    return Error(ErrorCode::kExhausted,
                 Join("the disk of ", options_.data_dir, " is full: ", FormatSize(free_bytes_),
                      " free, ", FormatSize(options_.min_free_bytes), " are kept"));
  }
  return WaitForRoom();
}

void LocalStore::CommitGroup(std::vector<Pending>& group) {
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
        {
          std::lock_guard lock(dedup_mutex_);
          for (const WalBatch& batch : batches) dedup_.Add(batch.id, batch.content_hash, now_ns);
        }
        Lsn lsn = *first_lsn;
        for (std::size_t i : stored) active_->Append(group[i].request.rows, lsn++);
      } else {
        failure = first_lsn.error();
        if (failure->code() != ErrorCode::kExhausted) {
          wal_failed_ = true;
          log::Fail("wal cannot be written, refusing appends", {{"error", failure->message()}});
        }
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
  if (!full()) return std::nullopt;
  if (!publish_error_) return Error(ErrorCode::kUnavailable, "the store is stopping");
  return Error(ErrorCode::kExhausted,
               Join("memory is full and entries cannot go to disk: ", publish_error_->message()));
}

bool LocalStore::FreezeHead() {
  {
    std::unique_lock lock(view_mutex_);
    view_changed_.wait(lock, [&] { return !frozen_ || stopping_; });
    if (frozen_) return false;
  }
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

// The segment thread.

void LocalStore::RunSegments() {
  std::unique_lock lock(view_mutex_);
  for (;;) {
    view_changed_.wait_for(lock, kSegmentThreadTick,
                           [&] { return frozen_ != nullptr || writer_stopped_; });
    if (frozen_) {
      bool last_attempt = writer_stopped_;
      lock.unlock();
      auto published = PublishFrozen();
      lock.lock();
      if (published) continue;
      if (last_attempt) return;  // the WAL has it all
      std::uint64_t waiting = flushes_waiting_;
      view_changed_.wait_for(lock, kSegmentThreadTick,
                             [&] { return writer_stopped_ || flushes_waiting_ > waiting; });
      continue;
    }
    if (writer_stopped_) {
      lock.unlock();
      bool more = FreezeHead();
      lock.lock();
      if (!more) return;
      continue;
    }
    lock.unlock();
    RunPeriodically();
    lock.lock();
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
    {
      std::lock_guard lock(queue_mutex_);
      ++freezes_wanted_;
    }
    queue_changed_.notify_one();
  }
  if (!retention_run_ || now - *retention_run_ >= kRetentionInterval) {
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
  }
  view_changed_.notify_all();
  if (wal_) wal_->RemoveCovered(head.last_lsn());
  return {};
}

Result<void> LocalStore::ApplyRetention() {
  std::lock_guard publishing(publish_mutex_);
  std::shared_ptr<const Segments> segments = segments_;  // changed under publish_mutex_ only
  std::uint64_t bytes = 0;
  for (const auto& segment : *segments) bytes += segment->facts().file_bytes;
  Segments oldest_first = *segments;
  std::sort(oldest_first.begin(), oldest_first.end(), [](const auto& a, const auto& b) {
    return a->facts().span.max_ns < b->facts().span.max_ns;
  });
  ManifestEdit edit;
  if (options_.retention_age.count() > 0) {
    edit.losses_until_ns = NowNs() - options_.retention_age.count();
  }
  Segments expired;
  for (const auto& segment : oldest_first) {
    const SegmentFacts& facts = segment->facts();
    bool old = options_.retention_age.count() > 0 && facts.span.max_ns < edit.losses_until_ns;
    bool over = options_.retention_bytes > 0 && bytes > options_.retention_bytes;
    if (!old && !over) break;
    bytes -= facts.file_bytes;
    expired.push_back(segment);
    edit.removed.push_back(facts.id);
  }
  bool forgets = std::any_of(losses_.begin(), losses_.end(), [&](const Loss& loss) {
    return loss.span.max_ns < edit.losses_until_ns;
  });
  if (expired.empty() && !forgets) return {};
  if (auto done = manifest_->Append(edit, NowNs()); !done) return done;
  {
    std::lock_guard lock(view_mutex_);
    auto kept = std::make_shared<Segments>(*segments_);
    std::erase_if(*kept, [&](const auto& segment) {
      return std::find(expired.begin(), expired.end(), segment) != expired.end();
    });
    segments_ = std::move(kept);
    losses_ = manifest_->state().losses;
  }
  for (const auto& segment : expired) {
    ++segments_expired_total_;
    cache_.Forget(segment.get());
    segment->DeleteWhenUnused();
  }
  return {};
}

Result<void> LocalStore::Flush() {
  std::uint64_t wanted = 0;
  {
    std::lock_guard lock(queue_mutex_);
    wanted = ++freezes_wanted_;
  }
  std::unique_lock lock(view_mutex_);
  std::uint64_t failures = publish_failures_;
  ++flushes_waiting_;  // an attempt that failed is repeated at once
  view_changed_.notify_all();
  queue_changed_.notify_one();
  view_changed_.wait(
      lock, [&] { return (freezes_done_ >= wanted && !frozen_) || publish_failures_ > failures; });
  if (frozen_ && publish_error_) return *publish_error_;
  return {};
}

// Reading.

View LocalStore::CurrentView() {
  std::lock_guard lock(view_mutex_);
  View view;
  if (frozen_) view.heads.push_back(frozen_->head);
  view.heads.push_back(active_);
  view.segments = segments_;
  view.losses = losses_;
  view.losses.insert(view.losses.end(), unreadable_.begin(), unreadable_.end());
  return view;
}

std::uint64_t LocalStore::NextSequence(const RandomId& agent, const RandomId& boot) {
  std::lock_guard lock(dedup_mutex_);
  return dedup_.NextSequence({agent, boot});
}

std::vector<LabelSet> LocalStore::Streams(std::int64_t start_ns, std::int64_t end_ns) {
  View view = CurrentView();
  std::unordered_set<StreamPtr> found;
  for (const auto& head : view.heads) head->AddStreams(start_ns, end_ns, found);
  for (const auto& segment : *view.segments) {
    if (!segment->facts().span.Overlaps(start_ns, end_ns)) continue;
    for (const BlockInfo& block : segment->blocks()) {
      for (const BlockStream& part : block.streams) {
        if (part.span.Overlaps(start_ns, end_ns)) found.insert(segment->streams()[part.stream]);
      }
    }
  }
  std::vector<LabelSet> streams;
  streams.reserve(found.size());
  for (const StreamPtr& stream : found) streams.push_back(*stream);
  return streams;
}

Result<ScanStats> LocalStore::Scan(const ScanRequest& request, const Visit& visit) {
  return RunScan(CurrentView(), request, visit, pool_, cache_);
}

StoreStats LocalStore::Stats() {
  StoreStats stats;
  View view = CurrentView();
  TimeSpan span;
  for (const auto& head : view.heads) {
    stats.head_lines += head->rows();
    stats.uncompressed_bytes += head->line_bytes();
    if (head->rows() == 0) continue;
    span.Add(head->span().min_ns);
    span.Add(head->span().max_ns);
  }
  stats.lines = stats.head_lines;
  for (const auto& segment : *view.segments) {
    const SegmentFacts& facts = segment->facts();
    stats.lines += facts.rows;
    stats.uncompressed_bytes += facts.line_bytes;
    stats.disk_bytes += facts.file_bytes;
    span.Add(facts.span.min_ns);
    span.Add(facts.span.max_ns);
  }
  if (stats.lines > 0) {
    stats.oldest_time_ns = span.min_ns;
    stats.newest_time_ns = span.max_ns;
  }
  stats.streams = streams_.size();
  stats.streams_created_total = streams_.created_total();
  stats.segments = view.segments->size();
  stats.quarantined_segments = view.losses.size();
  stats.disk_free_bytes = fs_.FreeSpace(options_.data_dir).value_or(0);
  WalWriter::Stats wal = wal_->stats();
  stats.wal_bytes = wal.bytes;
  stats.wal_written_bytes_total = wal.written_bytes_total;
  stats.wal_syncs_total = wal.syncs_total;
  stats.wal_sync_seconds_total = wal.sync_seconds_total;
  stats.segments_written_total = segments_written_total_;
  stats.segments_expired_total = segments_expired_total_;
  stats.duplicate_batches_total = duplicates_total_;
  stats.read_only = wal_failed_ || disk_full_;
  return stats;
}

}  // namespace dunlin::store
