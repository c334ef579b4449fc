#include "collector/store/wal_writer.h"

#include <algorithm>
#include <chrono>

#include "protocol/base/check.h"
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
  AdoptSpares();
}

WalWriter::~WalWriter() { RemoveSpares(); }

void WalWriter::AdoptSpares() {
  for (const std::string& name : fs_.List(options_.folder).value_or({})) {
    if (!name.ends_with(kWalSpareSuffix)) continue;
    std::string path = Join(options_.folder, "/", name);
    auto file = fs_.Open(path, FileSystem::Mode::kRead);
    if (!file) continue;
    std::uint64_t bytes = (*file)->Size().value_or(0);
    stats_.bytes += bytes;
    if (spares_.size() < options_.spare_files && bytes <= options_.file_bytes) {
      spares_.push_back({std::move(path), bytes});
    } else {
      Remove(path, bytes);
    }
  }
}

Result<Lsn> WalWriter::Commit(std::span<const WalBatch> batches) {
  Check(batches.size() <= kMaxWalGroupRecords, "a WAL group is within its limit");
  std::lock_guard lock(mutex_);
  auto done = TryCommit(batches);
  if (!done) {
    GiveUp(done.error());
    done = TryCommit(batches);
  }
  if (group_.capacity() > kMaxKeptGroupBytes) group_ = std::string();
  if (!done) {
    GiveUp(done.error());
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
      Retire(/*reusable=*/true);
    }
  }
  if (!current_) {
    if (auto begun = Begin(); !begun) return begun;
    Encode(batches);
  }
  OpenFile& open = *current_;
  if (auto reserved = Reserve(open, open.end + group_.size()); !reserved) return reserved;
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
  open->end = kWalHeaderBytes;
  open->last_lsn = next_lsn_ - 1;
  current_ = std::move(open);
  return spares_.empty() ? BeginNew(*current_) : BeginInSpare(*current_);
}

Result<void> WalWriter::BeginNew(OpenFile& open) {
  auto file = fs_.Open(open.path, FileSystem::Mode::kCreate);
  if (!file) return std::move(file).error();
  open.file = std::move(*file);
  if (auto reserved = Reserve(open, kWalHeaderBytes); !reserved) return reserved;
  WalFileHeader header{open.name.id, next_lsn_, NanosecondsOf(clock_.Now()), /*recycled=*/false};
  return open.file->WriteAt(0, EncodeWalFileHeader(header));
}

/// Until the new header is on disk the file has its spare name for certain, so that a crash never
/// finds one file's name with another's header. After any failure the file is gone.
Result<void> WalWriter::BeginInSpare(OpenFile& open) {
  Spare spare = std::move(spares_.back());
  spares_.pop_back();
  auto attempt = [&]() -> Result<void> {
    if (auto synced = fs_.SyncDirectory(options_.folder); !synced) return synced;
    auto file = fs_.Open(spare.path, FileSystem::Mode::kWrite);
    if (!file) return std::move(file).error();
    open.file = std::move(*file);
    WalFileHeader header{open.name.id, next_lsn_, NanosecondsOf(clock_.Now()), /*recycled=*/true};
    if (auto done = open.file->WriteAt(0, EncodeWalFileHeader(header)); !done) return done;
    if (auto done = open.file->Sync(); !done) return done;
    return fs_.Rename(spare.path, open.path);
  };
  if (auto begun = attempt(); !begun) {
    Remove(spare.path, spare.bytes);
    return begun;
  }
  open.reserved = spare.bytes;
  ++stats_.files_recycled_total;
  return {};
}

Result<void> WalWriter::Reserve(OpenFile& open, std::uint64_t end) {
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

void WalWriter::GiveUp(const Error& error) {
  log::Warn("wal write failed, giving up the file", {{"error", error.message()}});
  ++stats_.failures_total;
  Retire(/*reusable=*/false);
}

void WalWriter::Retire(bool reusable) {
  if (!current_) return;
  OldFile file{current_->path, current_->reserved, current_->last_lsn, reusable};
  bool used = current_->end > kWalHeaderBytes;
  bool exists = current_->file != nullptr;
  current_.reset();
  // A file that never took a group is removed at once, or a full disk would fill with them.
  if (used || (exists && !Remove(file.path, file.bytes))) old_files_.push_back(std::move(file));
}

void WalWriter::RemoveCovered(Lsn covered) {
  std::lock_guard lock(mutex_);
  if (current_ && current_->end > kWalHeaderBytes && current_->last_lsn <= covered) {
    Retire(/*reusable=*/true);
  }
  std::erase_if(old_files_, [&](const OldFile& file) {
    if (file.last_lsn > covered) return false;
    return MakeSpare(file) || Remove(file.path, file.bytes);
  });
}

bool WalWriter::MakeSpare(const OldFile& file) {
  if (!file.reusable || spares_.size() >= options_.spare_files) return false;
  // A file of one huge group would keep its space for ever.
  if (file.bytes > options_.file_bytes) return false;
  std::string path = file.path + std::string(kWalSpareSuffix);
  if (!fs_.Rename(file.path, path)) return false;
  spares_.push_back({std::move(path), file.bytes});
  return true;
}

void WalWriter::RemoveSpares() {
  std::lock_guard lock(mutex_);
  std::erase_if(spares_, [&](const Spare& spare) { return Remove(spare.path, spare.bytes); });
}

bool WalWriter::Remove(const std::string& path, std::uint64_t bytes) {
  auto removed = fs_.Remove(path);
  if (!removed && removed.error().code() != ErrorCode::kNotFound) {
    // Harmless: recovery reads past covered records and void ones.
    log::Warn("cannot remove a wal file", {{"error", removed.error().message()}});
    return false;
  }
  stats_.bytes -= std::min(stats_.bytes, bytes);
  return true;
}

WalWriter::Stats WalWriter::stats() const {
  std::lock_guard lock(mutex_);
  Stats stats = stats_;
  stats.files = old_files_.size() + (current_ ? 1 : 0);
  stats.spare_files = spares_.size();
  return stats;
}

}  // namespace dunlin::store
