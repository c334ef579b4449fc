#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "protocol/base/clock.h"
#include "protocol/net/loop.h"
#include "protocol/net/worker_pool.h"
#include "shipper/queue.h"
#include "shipper/spool_disk.h"
#include "shipper/spool_timing.h"

namespace dunlin::shipper {

/// What a spool counts and how it is; for metrics and status.
struct SpoolStatus {
  SpoolAccounts accounts;  // as of the last errand
  std::uint64_t limit_bytes = 0;
  std::map<int, std::uint64_t> errors;  // by errno; 0: none of the operating system's
  /// Of the latest refusal; empty, 0 and nothing while the disk works.
  std::string last_error;
  int last_errno = 0;
  std::optional<LogTime> failing_since;
  bool full = false;  // at the limit, and nothing may be dropped: what is new stays in memory
};

struct SpoolTierOptions {
  SpoolOptions spool;
  SpoolSync sync = SpoolSync::kInterval;
  SpoolTiming timing;
  /// Whether the oldest unsent may be dropped to keep the limit, which is asked for by what is
  /// written: an adopted spool has no more of that.
  bool may_drop = true;
};

/// Keeps a queue's batches on disk: writes what is new, reads what the queue is about to need,
/// passes acknowledgements and drops on. All of that runs on the disk worker, one errand at a time;
/// while the disk is slow the next errand gathers. While it refuses to write, the queue keeps to
/// memory and writing is tried again, but what is on disk is read and sent. Loop thread only.
class SpoolTier {
 public:
  /// Everything given outlives the tier; `disk` may be in use on the worker when it ends.
  SpoolTier(net::Loop& loop, const Clock& clock, net::WorkerPool& worker, Queue& queue,
            std::shared_ptr<SpoolDisk> disk, SpoolTierOptions options);
  ~SpoolTier();
  SpoolTier(const SpoolTier&) = delete;
  SpoolTier& operator=(const SpoolTier&) = delete;

  /// After an errand: there may be room in the queue, batches to send, lines accounted for
  /// elsewhere.
  std::function<void()> on_change;

  /// Something happened in the queue.
  void Poke();
  /// Writes what is not on disk, or removes the spool when nothing waits in the queue; calls back
  /// once, from the loop, when that is done, has failed or `patience` is over.
  void Finish(std::chrono::milliseconds patience, std::function<void()> done);

  const SpoolStatus& status() const { return status_; }

 private:
  struct Job;
  std::optional<SpoolErrand> NextErrand();
  void Start(SpoolErrand errand);
  void OnReport(SpoolReport report, const SpoolErrand& errand);
  void OnWriteRetry();
  void PlanRetries(const SpoolReport& report, bool has_written, bool has_read);
  void NoteError(const Error& error);
  void CheckFinished(const SpoolReport& report);

  const Clock& clock_;
  net::WorkerPool& worker_;
  Queue& queue_;
  std::shared_ptr<SpoolDisk> disk_;
  SpoolTierOptions options_;
  net::Timer ack_timer_;
  net::Timer sync_timer_;
  net::Timer age_timer_;
  net::Timer write_retry_;
  net::Timer read_retry_;
  net::Timer finish_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::function<void()> finish_;
  SpoolStatus status_;
  std::chrono::milliseconds write_delay_{0};
  std::chrono::milliseconds read_delay_{0};
  std::uint64_t acknowledged_ = 0;  // that the disk was told
  int failed_reads_ = 0;
  bool running_ = false;
  bool acks_due_ = false;
  bool acks_refused_ = false;  // until the next attempt to write
  bool sync_due_ = false;
  bool age_due_ = true;
  std::uint64_t full_at_ = 0;  // where what could be dropped ended when it was full
};

}  // namespace dunlin::shipper
