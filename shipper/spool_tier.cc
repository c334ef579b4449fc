#include "shipper/spool_tier.h"

#include <algorithm>
#include <utility>

#include "protocol/base/log.h"

namespace dunlin::shipper {
namespace {

using namespace std::chrono_literals;

/// What is copied for one errand.
constexpr std::size_t kWriteBytes = 256_KiB;
/// An acknowledgement that is not on disk costs sending again after a crash, nothing else.
constexpr std::chrono::milliseconds kAckInterval = 500ms;
constexpr std::chrono::milliseconds kSyncInterval = 1s;
constexpr std::chrono::milliseconds kFirstRetry = 1s;
constexpr std::chrono::milliseconds kLastRetry = 30s;
/// So often the disk may refuse to give a batch before it counts as lost: about a minute.
constexpr int kMostFailedReads = 6;

}  // namespace

struct SpoolTier::Job {
  SpoolErrand errand;
  SpoolReport report;
};

SpoolTier::SpoolTier(net::Loop& loop, net::WorkerPool& worker, Queue& queue,
                     std::shared_ptr<SpoolDisk> disk, std::uint64_t limit_bytes, SpoolSync sync,
                     bool may_drop)
    : worker_(worker),
      queue_(queue),
      disk_(std::move(disk)),
      sync_(sync),
      may_drop_(may_drop),
      ack_timer_(loop,
                 [this] {
                   acks_due_ = true;
                   Poke();
                 }),
      sync_timer_(loop,
                  [this] {
                    sync_due_ = true;
                    Poke();
                  }),
      retry_timer_(loop, [this] { Poke(); }),
      finish_timer_(loop, [this] {
        if (finish_) std::exchange(finish_, nullptr)();
      }) {
  queue_.UseDisk();
  status_.limit_bytes = limit_bytes;
}

SpoolTier::~SpoolTier() { *alive_ = false; }

void SpoolTier::Poke() {
  if (running_ || retry_timer_.active()) return;
  if (auto errand = NextErrand()) Start(std::move(*errand));
}

std::optional<SpoolErrand> SpoolTier::NextErrand() {
  SpoolErrand errand;
  errand.acknowledged = queue_.first_sequence() - 1;
  const bool acknowledged = errand.acknowledged > acknowledged_;
  const auto stretch = queue_.on_disk_only();
  if (may_drop_ && stretch) errand.first_droppable = stretch->first;
  if (acknowledged || (errand.first_droppable && stretch->last > full_at_)) full_ = false;
  if (queue_.has_unwritten() && !full_) {
    full_at_ = stretch ? stretch->last : 0;
    errand.append = queue_.BeginWrite(kWriteBytes);
  }
  if (queue_.wants_read()) {
    errand.read = stretch;
    errand.read_bytes = queue_.read_ahead_bytes();
    errand.unreadable_is_lost = failed_reads_ >= kMostFailedReads;
  }
  errand.sync = sync_due_;
  errand.remove = finish_ && queue_.batches() == 0;
  const bool at_once = !errand.append.empty() || errand.read || errand.sync || errand.remove ||
                       (acknowledged && (acks_due_ || finish_));
  if (at_once) return errand;
  if (acknowledged && !ack_timer_.active()) ack_timer_.Start(kAckInterval);
  return std::nullopt;
}

void SpoolTier::Start(SpoolErrand errand) {
  running_ = true;
  acks_due_ = sync_due_ = false;
  ack_timer_.Stop();
  auto job = std::make_shared<Job>();
  job->errand = std::move(errand);
  worker_.Submit([disk = disk_, job] { job->report = disk->Run(job->errand); },
                 [this, alive = alive_, job] {
                   if (*alive) OnReport(std::move(job->report), job->errand);
                 });
}

void SpoolTier::OnReport(SpoolReport report, const SpoolErrand& errand) {
  running_ = false;
  if (report.accounts) {
    status_.accounts = *report.accounts;
    acknowledged_ = errand.acknowledged;
  }
  full_ = report.full;
  if (report.written_through > 0 && sync_ == SpoolSync::kInterval && !sync_timer_.active()) {
    sync_timer_.Start(kSyncInterval);
  }
  queue_.EndWrite(report.written_through, report.write_error.has_value());
  for (const auto& [drop, reason] : report.dropped) queue_.OnDiskDropped(drop, reason);
  for (SpoolBatch& batch : report.read) {
    if (queue_.wants_read()) queue_.OnRead(std::move(batch));
  }
  failed_reads_ = report.read_error ? failed_reads_ + 1 : 0;
  if (report.write_error) NoteError(*report.write_error);
  if (report.read_error) NoteError(*report.read_error);
  if (report.write_error || report.read_error) {
    retry_delay_ = std::clamp(2 * retry_delay_, kFirstRetry, kLastRetry);
    retry_timer_.Start(retry_delay_);
  } else {
    retry_delay_ = 0ms;
    if (!std::exchange(status_.last_error, {}).empty()) log::Info("the spool works again");
  }
  CheckFinished(report);
  Poke();
  if (on_change) on_change();
}

void SpoolTier::NoteError(const Error& error) {
  ++status_.errors[error.error_number()];
  // Once per cause, not once per attempt.
  if (error.message() == status_.last_error) return;
  status_.last_error = error.message();
  log::Warn("the spool cannot be used, lines wait in memory", {{"cause", error.message()}});
}

void SpoolTier::Finish(std::chrono::milliseconds patience, std::function<void()> done) {
  finish_ = std::move(done);
  finish_timer_.Start(patience);
  retry_timer_.Stop();
  Poke();
  if (!running_) finish_timer_.Start({});  // nothing to do
}

void SpoolTier::CheckFinished(const SpoolReport& report) {
  if (!finish_) return;
  const bool failed = report.write_error || report.full;
  const bool done = queue_.batches() == 0 ? report.removed : !queue_.has_unwritten();
  // From the loop: the caller may destroy the tier then.
  if (failed || done) finish_timer_.Start({});
}

}  // namespace dunlin::shipper
