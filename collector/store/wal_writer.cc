#include "collector/store/wal_writer.h"

#include <algorithm>
#include <chrono>

#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::store {
namespace {

/// Space is reserved ahead in steps: overwriting reserved space makes fdatasync about twice as fast
/// as appending, and small steps keep an idle store small.
constexpr std::uint64_t kReserveStep = 4_MiB;

/// A group's memory is kept for the next one unless one huge batch made it grow beyond this.
constexpr std::size_t kMaxKeptGroupBytes = 4_MiB;

}  // namespace

WalWriter::WalWriter(FileSystem& fs, const Clock& clock, Options options, std::uint64_t next_number,
                     Lsn next_lsn, std::vector<OldFile> old_files)
    : fs_(fs),
      clock_(clock),
      options_(std::move(options)),
      next_number_(next_number),
      next_lsn_(next_lsn),
      old_files_(std::move(old_files)) {
  for (const OldFile& file : old_files_) stats_.bytes += file.bytes;
}

Result<Lsn> WalWriter::Commit(std::span<const WalBatch> batches) {
  std::lock_guard lock(mutex_);
  auto done = TryCommit(batches);
  if (!done) {
    log::Warn("wal write failed, going on in a new file", {{"error", done.error().message()}});
    Retire();
    done = TryCommit(batches);
  }
  if (group_.capacity() > kMaxKeptGroupBytes) group_ = std::string();
  if (!done) {
    Retire();
    return std::move(done).error();
  }
  Lsn first = next_lsn_;
  next_lsn_ += batches.size();
  return first;
}

Result<void> WalWriter::TryCommit(std::span<const WalBatch> batches) {
  if (current_) {
    Encode(batches);
    if (current_->end > kWalHeaderBytes && current_->end + group_.size() > options_.file_bytes) {
      Retire();
    }
  }
  if (!current_) {
    if (auto begun = Begin(); !begun) return begun;
    Encode(batches);
  }
  OpenFile& open = *current_;
  if (auto reserved = Reserve(open.end + group_.size()); !reserved) return reserved;
  if (auto written = open.file->WriteAt(open.end, group_); !written) return written;
  auto begin = std::chrono::steady_clock::now();
  if (auto synced = open.file->Sync(); !synced) return synced;
  if (!open.name_durable) {
    if (auto synced = fs_.SyncDirectory(options_.folder); !synced) return synced;
    open.name_durable = true;
  }
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  stats_.sync_seconds_total += took.count();
  ++stats_.syncs_total;
  stats_.written_bytes_total += group_.size();
  open.end += group_.size();
  open.last_lsn = next_lsn_ + batches.size() - 1;
  return {};
}

Result<void> WalWriter::Begin() {
  auto open = std::make_unique<OpenFile>();
  open->name = {next_number_++, NewRandomId()};
  open->path = Join(options_.folder, "/", open->name.ToString());
  auto file = fs_.Open(open->path, FileSystem::Mode::kCreate);
  if (!file) return std::move(file).error();
  open->file = std::move(*file);
  open->last_lsn = next_lsn_ - 1;
  WalFileHeader header{open->name.id, next_lsn_, NanosecondsOf(clock_.Now())};
  open->end = kWalHeaderBytes;
  current_ = std::move(open);
  if (auto reserved = Reserve(kWalHeaderBytes); !reserved) return reserved;
  return current_->file->WriteAt(0, EncodeWalFileHeader(header));
}

Result<void> WalWriter::Reserve(std::uint64_t end) {
  OpenFile& open = *current_;
  if (end <= open.reserved) return {};
  std::uint64_t step = std::min(kReserveStep, options_.file_bytes);
  std::uint64_t size = std::max((end + step - 1) / step * step, end);
  if (auto done = open.file->Preallocate(size); !done) return done;
  stats_.bytes += size - open.reserved;
  open.reserved = size;
  return {};
}

void WalWriter::Encode(std::span<const WalBatch> batches) {
  group_.clear();
  WalRecord record;
  record.lsn = next_lsn_;
  record.durable_lsn = next_lsn_ - 1;
  for (const WalBatch& batch : batches) {
    record.batch = batch;
    AppendWalRecord(group_, current_->name.seed(), record);
    ++record.lsn;
  }
}

void WalWriter::Retire() {
  if (!current_) return;
  OldFile file{current_->path, current_->reserved, current_->last_lsn};
  bool used = current_->end > kWalHeaderBytes;
  current_.reset();
  // A file that never took a group is removed at once, or a full disk would fill with them.
  if (!used && fs_.Remove(file.path)) {
    stats_.bytes -= std::min(stats_.bytes, file.bytes);
    return;
  }
  old_files_.push_back(std::move(file));
}

void WalWriter::RemoveCovered(Lsn covered) {
  std::lock_guard lock(mutex_);
  if (current_ && current_->end > kWalHeaderBytes && current_->last_lsn <= covered) Retire();
  std::erase_if(old_files_, [&](const OldFile& file) {
    if (file.last_lsn > covered) return false;
    if (auto removed = fs_.Remove(file.path); !removed) {
      // Harmless: recovery skips covered records and tries again.
      log::Warn("cannot remove a covered wal file", {{"error", removed.error().message()}});
    }
    stats_.bytes -= std::min(stats_.bytes, file.bytes);
    return true;
  });
}

WalWriter::Stats WalWriter::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace dunlin::store
