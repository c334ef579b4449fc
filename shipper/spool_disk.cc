#include "shipper/spool_disk.h"

#include <algorithm>

namespace dunlin::shipper {

SpoolDisk::SpoolDisk(const Clock& clock, std::unique_ptr<Spool> spool, Remove remove)
    : SpoolDisk(
          clock,
          []() -> Result<std::unique_ptr<Spool>> {
            return Error(ErrorCode::kNotFound, "the adopted spool is gone");
          },
          std::move(remove), SpoolSync::kNever) {
  spool_ = std::move(spool);
}

SpoolReport SpoolDisk::Run(const SpoolErrand& errand) {
  SpoolReport report;
  if (!spool_) {
    if (errand.remove) {  // nothing was ever written
      report.removed = true;
      return report;
    }
    auto opened = open_();
    if (!opened) {
      report.write_error = std::move(opened).error();
      return report;
    }
    spool_ = std::move(*opened);
  }
  if (errand.acknowledged > 0) {
    auto done = spool_->Acknowledge(errand.acknowledged);
    if (!done) {
      report.acknowledgement_refused = true;
      report.write_error = std::move(done).error();
    }
  }
  if (errand.remove && spool_->empty()) {
    auto done = remove_(std::move(spool_));
    report.removed = done.has_value();
    if (!done) report.write_error = std::move(done).error();
    return report;
  }
  DropAged(errand, report);
  Append(errand, report);
  if (unsynced_ && (errand.sync || sync_ == SpoolSync::kBatch)) {
    auto done = spool_->Sync();
    unsynced_ = false;
    if (!done && !report.write_error) report.write_error = std::move(done).error();
  }
  Read(errand, report);
  report.accounts = spool_->accounts();
  return report;
}

void SpoolDisk::DropAged(const SpoolErrand& errand, SpoolReport& report) {
  while (errand.first_droppable && spool_->too_old(*errand.first_droppable, clock_.Now())) {
    auto drop = spool_->DropOldest(*errand.first_droppable, DropReasonName(DropReason::kTooOld));
    if (!drop) report.write_error = std::move(drop).error();
    if (!drop || !*drop) return;
    report.dropped.emplace_back(std::move(**drop), DropReason::kTooOld);
  }
}

/// False when there is no room and none may be made.
bool SpoolDisk::MakeRoom(const SpoolErrand& errand, std::size_t bytes, SpoolReport& report) {
  while (spool_->over_limit(bytes)) {
    if (!errand.first_droppable || !errand.may_drop_for_room) return false;
    auto drop = spool_->DropOldest(*errand.first_droppable, DropReasonName(DropReason::kSpoolFull));
    if (!drop) report.write_error = std::move(drop).error();
    if (!drop || !*drop) return false;
    report.dropped.emplace_back(std::move(**drop), DropReason::kSpoolFull);
  }
  return true;
}

void SpoolDisk::Append(const SpoolErrand& errand, SpoolReport& report) {
  for (const UnwrittenBatch& batch : errand.append) {
    if (!MakeRoom(errand, batch.frame.size(), report)) {
      report.full = true;
      return;
    }
    auto done = spool_->Append(batch.info, batch.frame);
    if (!done) {
      report.write_error = std::move(done).error();
      return;
    }
    unsynced_ = true;
    report.written_through = batch.info.sequence;
  }
}

void SpoolDisk::Read(const SpoolErrand& errand, SpoolReport& report) {
  if (!errand.read) return;
  std::uint64_t next = errand.read->first;
  std::uint64_t last = errand.read->last;
  // What was just dropped is not looked for.
  for (const auto& [drop, reason] : report.dropped) {
    if (drop.first_sequence <= next) {
      next = std::max(next, drop.sequence + 1);
    } else {
      last = std::min(last, drop.first_sequence - 1);
    }
  }
  std::size_t bytes = 0;
  while (next <= last && bytes < errand.read_bytes) {
    auto batch = spool_->Read(
        next, errand.unreadable_is_lost ? Spool::Unreadable::kLose : Spool::Unreadable::kFail);
    if (!batch) {
      report.read_error = std::move(batch).error();
      return;
    }
    bytes += std::max<std::size_t>(batch->frame.size(), 1);
    next = batch->sequence + 1;
    report.read.push_back(std::move(*batch));
  }
}

}  // namespace dunlin::shipper
