#include "shipper/spool_tier.h"

#include <algorithm>
#include <utility>

#include "protocol/base/log.h"

namespace dunlin::shipper {
namespace {

using namespace std::chrono_literals;

/// What is copied for one errand.
constexpr std::size_t kWriteBytes = 256_KiB;
/// So often the disk may refuse to give a batch before it counts as lost: about a minute.
constexpr int kMostFailedReads = 6;

}  // namespace

struct SpoolTier::Job {
  SpoolErrand errand;
  SpoolReport report;
};

SpoolTier::SpoolTier(net::Loop& loop, const Clock& clock, net::WorkerPool& worker, Queue& queue,
                     std::shared_ptr<SpoolDisk> disk, SpoolTierOptions options)
    : clock_(clock),
      worker_(worker),
      queue_(queue),
      disk_(std::move(disk)),
      options_(options),
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
      age_timer_(loop,
                 [this] {
                   age_due_ = true;
                   Poke();
                 }),
      write_retry_(loop, [this] { OnWriteRetry(); }),
      read_retry_(loop, [this] { Poke(); }),
      finish_timer_(loop, [this] {
        if (finish_) std::exchange(finish_, nullptr)();
      }) {
  queue_.UseDisk();
  status_.limit_bytes = options_.spool.limit_bytes;
  if (options_.spool.max_age.count() > 0) {
    age_timer_.Start(options_.timing.look_interval, options_.timing.look_interval);
  }
}

SpoolTier::~SpoolTier() { *alive_ = false; }

void SpoolTier::Poke() {
  if (running_) return;
  if (auto errand = NextErrand()) Start(std::move(*errand));
}

std::optional<SpoolErrand> SpoolTier::NextErrand() {
  SpoolErrand errand;
  const bool ages = age_due_ && options_.spool.max_age.count() > 0 && queue_.spooled_lines() > 0;
  if (ages) queue_.ForgetOlderThan(clock_.Now() - options_.spool.max_age);
  // After an acknowledgement that the disk refused, it is not bothered with more of them.
  errand.acknowledged = acks_refused_ ? 0 : queue_.first_sequence() - 1;
  const bool acknowledged = errand.acknowledged > acknowledged_;
  const auto stretch = queue_.on_disk_only();
  // None of these can be sent before this errand has read them.
  if (stretch) errand.first_droppable = stretch->first;
  errand.may_drop_for_room = options_.may_drop;
  if (acknowledged || (options_.may_drop && stretch && stretch->last > full_at_)) {
    status_.full = false;
  }
  const bool may_write = !write_retry_.active();
  if (may_write && !status_.full && queue_.has_unwritten()) {
    full_at_ = stretch ? stretch->last : 0;
    errand.append = queue_.BeginWrite(kWriteBytes);
  }
  if (queue_.wants_read() && !read_retry_.active()) {
    errand.read = stretch;
    errand.read_bytes = queue_.read_ahead_bytes();
    errand.unreadable_is_lost = failed_reads_ >= kMostFailedReads;
  }
  errand.sync = sync_due_ && may_write;
  errand.remove = finish_ && queue_.batches() == 0;
  const bool at_once = !errand.append.empty() || errand.read || errand.sync || errand.remove ||
                       ages || (acknowledged && (acks_due_ || finish_));
  if (at_once) return errand;
  if (acknowledged && !ack_timer_.active()) ack_timer_.Start(options_.timing.ack_interval);
  return std::nullopt;
}

void SpoolTier::Start(SpoolErrand errand) {
  running_ = true;
  acks_due_ = age_due_ = false;
  if (errand.sync) sync_due_ = false;
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
  const bool has_written =
      !errand.append.empty() || errand.sync || errand.acknowledged > acknowledged_;
  if (report.accounts) status_.accounts = *report.accounts;
  acks_refused_ = acks_refused_ || report.acknowledgement_refused;
  if (report.accounts && !report.acknowledgement_refused) {
    acknowledged_ = std::max(acknowledged_, errand.acknowledged);
  }
  if (!errand.append.empty()) {
    status_.full = report.full;
    queue_.EndWrite(report.written_through, report.write_error.has_value());
  }
  if (report.written_through > 0 && options_.sync == SpoolSync::kInterval &&
      !sync_timer_.active()) {
    sync_timer_.Start(options_.timing.sync_interval);
  }
  for (const auto& [drop, reason] : report.dropped) queue_.OnDiskDropped(drop, reason);
  for (SpoolBatch& batch : report.read) {
    if (queue_.wants_read()) queue_.OnRead(std::move(batch));
  }
  PlanRetries(report, has_written, errand.read.has_value());
  CheckFinished(report);
  Poke();
  if (on_change) on_change();
}

void SpoolTier::PlanRetries(const SpoolReport& report, bool has_written, bool has_read) {
  const auto longer = [this](std::chrono::milliseconds delay) {
    return std::clamp(2 * delay, options_.timing.first_retry, options_.timing.last_retry);
  };
  if (report.write_error) {
    NoteError(*report.write_error);
    write_delay_ = longer(write_delay_);
    write_retry_.Start(write_delay_);
  } else if (has_written) {
    write_delay_ = 0ms;
  }
  if (report.read_error) {
    ++failed_reads_;
    NoteError(*report.read_error);
    read_delay_ = longer(read_delay_);
    read_retry_.Start(read_delay_);
  } else if (has_read) {
    failed_reads_ = 0;
    read_delay_ = 0ms;
  }
  if (write_delay_ > 0ms || write_retry_.active() || read_delay_ > 0ms) return;
  if (!status_.failing_since) return;
  status_.failing_since.reset();
  status_.last_error.clear();
  status_.last_errno = 0;
  log::Info("the spool works again");
}

void SpoolTier::OnWriteRetry() {
  acks_refused_ = false;
  acks_due_ = true;
  // Also when nothing is new: what failed may have been to make what was written safe.
  sync_due_ = sync_due_ || options_.sync != SpoolSync::kNever;
  Poke();
}

void SpoolTier::NoteError(const Error& error) {
  ++status_.errors[error.error_number()];
  if (!status_.failing_since) status_.failing_since = clock_.Now();
  // Once per cause, not once per attempt.
  if (error.message() == status_.last_error) return;
  status_.last_error = error.message();
  status_.last_errno = error.error_number();
  log::Warn("the spool cannot be used, lines wait in memory", {{"cause", error.message()}});
}

void SpoolTier::Finish(std::chrono::milliseconds patience, std::function<void()> done) {
  finish_ = std::move(done);
  finish_timer_.Start(patience);
  write_retry_.Stop();
  acks_refused_ = false;
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
