// How a store comes up: see docs/wal-format.md and docs/segment-format.md, "Recovery".
#include <algorithm>

#include "collector/store/local_store.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

/// One is enough: a file is covered long before the next but one is full.
constexpr std::size_t kSpareWalFiles = 1;

}  // namespace

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
    old_files.push_back({file.path, file.bytes, last_lsn, /*reusable=*/false});
  }
  wal_ = std::make_unique<WalWriter>(fs_, clock_,
                                     WalWriter::Options{Join(options_.data_dir, "/", kWalFolder),
                                                        options_.wal_file_bytes, kSpareWalFiles},
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

/// A group that was refused may lie in a file given up, under numbers that were used again and are
/// covered since. Its batches came again and were stored then.
bool LocalStore::IsStored(const WalBatch& batch) const {
  if (batch.id) return batch.id->sequence < dedup_.NextSequence({batch.id->agent, batch.id->boot});
  return batch.content_hash && dedup_.HasContent(*batch.content_hash, batch.received_ns);
}

void LocalStore::ReplayRecord(const PayloadDecoder& decoder, const WalFileEntry& file,
                              const WalRecord& record) {
  const WalBatch& batch = record.batch;
  if (IsStored(batch)) return;
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

}  // namespace dunlin::store
