#include "collector/store/local_store.h"

#include <pthread.h>

#include <unordered_set>
#include <utility>

#include "collector/store/count.h"
#include "collector/store/scan.h"
#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

constexpr std::uint64_t kBlockCacheBytes = 32_MiB;

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
      disk_(fs, clock, {options_.data_dir, options_.min_free_bytes, options_.ballast_bytes}),
      cache_(kBlockCacheBytes),
      queue_(options_.max_queued_bytes),
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
  store->merge_thread_ = std::thread([s = store.get()] { s->RunMerges(); });
  // For top and for benchmarks, which tell receiving from indexing by these names.
  ::pthread_setname_np(store->writer_.native_handle(), "store-writer");
  ::pthread_setname_np(store->segment_thread_.native_handle(), "store-segments");
  ::pthread_setname_np(store->merge_thread_.native_handle(), "store-merges");
  return store;
}

LocalStore::~LocalStore() {
  stopping_ = true;
  {
    std::lock_guard lock(view_mutex_);  // so that no waiter misses the change
  }
  view_changed_.notify_all();
  queue_.Stop();
  if (writer_.joinable()) writer_.join();
  if (merge_thread_.joinable()) merge_thread_.join();
  {
    std::lock_guard lock(view_mutex_);
    writer_stopped_ = true;
  }
  view_changed_.notify_all();
  if (segment_thread_.joinable()) segment_thread_.join();
  // What was merged last; when that fails, the next start finds either it or what it was made of.
  PublishMerged();
}

std::string LocalStore::PathOf(const SegmentFacts& facts) const {
  return Join(options_.data_dir, "/", facts.RelativePath());
}

void LocalStore::NoteDiskFull() {
  disk_.OnDiskFull();
  if (wal_) wal_->RemoveSpares();
}

void LocalStore::Append(AppendRequest request, AppendDone done) {
  queue_.Push(std::move(request), std::move(done));
}

std::optional<Error> LocalStore::Refusal() {
  if (auto outage = outage_.Refusal(clock_.Steady())) return outage;
  if (auto full = disk_.Refusal()) return full;
  std::lock_guard lock(view_mutex_);
  return memory_refusal_;
}

Result<void> LocalStore::Flush() {
  for (;;) {
    std::uint64_t wanted = queue_.AskForFreeze();
    std::unique_lock lock(view_mutex_);
    std::uint64_t failures = publish_failures_;
    ++flushes_waiting_;  // an attempt that failed is repeated at once
    view_changed_.notify_all();
    view_changed_.wait(lock, [&] {
      return (freezes_done_ >= wanted && !frozen_) || publish_failures_ > failures;
    });
    if (frozen_ && publish_error_) return *publish_error_;
    // Skipped because of a failure that is over by now.
    if (freeze_skipped_ < wanted) return {};
  }
}

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

Result<CountResult> LocalStore::Count(const CountRequest& request) {
  return RunCount(CurrentView(), request, pool_);
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
  stats.disk_free_bytes = disk_.free_bytes();
  WalWriter::Stats wal = wal_->stats();
  stats.wal_bytes = wal.bytes;
  stats.wal_files = wal.files;
  stats.wal_spare_files = wal.spare_files;
  stats.wal_recycled_files_total = wal.files_recycled_total;
  stats.wal_failures_total = wal.failures_total;
  stats.wal_written_bytes_total = wal.written_bytes_total;
  stats.wal_syncs_total = wal.syncs_total;
  stats.wal_sync_seconds_total = wal.sync_seconds_total;
  stats.segments_written_total = segments_written_total_;
  stats.compactions_total = compactions_total_;
  stats.compaction_read_bytes_total = compaction_read_bytes_total_;
  stats.compaction_written_bytes_total = compaction_written_bytes_total_;
  for (std::size_t reason = 0; reason < kExpiryReasons; ++reason) {
    stats.segments_expired_total[reason] = segments_expired_total_[reason];
  }
  stats.duplicate_batches_total = duplicates_total_;
  stats.queued_bytes = queue_.bytes();
  {
    std::lock_guard lock(dedup_mutex_);
    stats.dedup_boots = dedup_.boots();
    stats.dedup_bodies = dedup_.contents();
  }
  stats.disk_full = disk_.full();
  stats.wal_failed = outage_.ongoing();
  stats.read_only = stats.disk_full || stats.wal_failed || Refusal().has_value();
  return stats;
}

}  // namespace dunlin::store
