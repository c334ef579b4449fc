#include "shipper/spool/spool.h"

#include <algorithm>
#include <utility>

#include "shipper/spool/spool_impl.h"

namespace dunlin::shipper {

Spool::Spool(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Spool::~Spool() = default;

const std::string& Spool::identity() const { return impl_->identity; }
std::uint64_t Spool::first_sequence() const { return impl_->acknowledged_sequence + 1; }
std::uint64_t Spool::last_sequence() const { return impl_->last_sequence; }
SpoolAccounts Spool::accounts() const { return impl_->Accounts(); }

Result<void> Spool::Append(const SpoolBatchInfo& info, std::string_view frame) {
  return impl_->Append(info, frame);
}

Result<void> Spool::Sync() { return impl_->Sync(); }

Result<SpoolBatch> Spool::Read(std::uint64_t sequence, Unreadable unreadable) {
  return impl_->Read(sequence, unreadable);
}

Result<void> Spool::Acknowledge(std::uint64_t sequence) { return impl_->Acknowledge(sequence); }

bool Spool::over_limit(std::uint64_t incoming_bytes) const {
  return impl_->bytes() + incoming_bytes + kRecordBytes > impl_->options.limit_bytes;
}

bool Spool::too_old(std::uint64_t first_unsent, LogTime now) const {
  std::size_t index = impl_->OldestUnsent(first_unsent);
  if (impl_->options.max_age.count() == 0 || index == impl_->segments.size()) return false;
  return LogTimeOf(impl_->segments[index].newest_entry_ns) + impl_->options.max_age < now;
}

Result<std::optional<SpoolDrop>> Spool::DropOldest(std::uint64_t first_unsent,
                                                   std::string_view reason) {
  return impl_->DropOldest(first_unsent, reason);
}

std::uint64_t Spool::Impl::bytes() const {
  std::uint64_t sum = kSlotsBytes + kHeadBytes + identity.size();
  for (const Segment& segment : segments) sum += segment.bytes;
  for (const Garbage& item : garbage) sum += item.bytes;
  return sum;
}

SpoolAccounts Spool::Impl::Accounts() const {
  SpoolAccounts accounts;
  accounts.bytes = bytes();
  accounts.segments = segments.size();
  accounts.damaged_batches = damaged_batches;
  accounts.damaged = damaged;
  accounts.foreign_files = foreign_files;
  if (last_sequence <= acknowledged_sequence || segments.empty()) return accounts;
  for (const Segment& segment : segments) {
    accounts.batches += segment.batches;
    if (!accounts.oldest_entry && !segment.gap && segment.batches > 0) {
      accounts.oldest_entry = segment.oldest_entry;
    }
  }
  if (front.number == segments.front().name.number) {
    accounts.batches -= std::min<std::uint64_t>(accounts.batches, front_batches);
    if (front_oldest) accounts.oldest_entry = front_oldest;
  }
  accounts.unacknowledged = Difference(acknowledged_totals, segments.back().after);
  return accounts;
}

}  // namespace dunlin::shipper
