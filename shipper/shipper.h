#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/net/loop.h"
#include "protocol/net/worker_pool.h"
#include "protocol/wire/batch.h"
#include "shipper/batcher.h"
#include "shipper/queue.h"
#include "shipper/sender.h"
#include "shipper/spool_adopter.h"
#include "shipper/spool_tier.h"
#include "shipper/statistics.h"

namespace dunlin::shipper {

struct ShipperOptions {
  BatcherOptions batcher;
  QueueOptions queue;
  /// Nothing: there is no collector, lines are counted as dropped for that reason.
  std::optional<SenderOptions> sender;
  /// Nothing: batches wait in memory alone. Of use with a collector only.
  std::optional<SpoolPlace> spool;
};

/// Where the captured lines are. captured = acknowledged + queued + spooled + dropped, always.
struct LineAccount {
  std::uint64_t captured = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t queued = 0;   // in memory alone: the batch being filled and those waiting
  std::uint64_t spooled = 0;  // on disk, whether in memory, too, or not
  std::uint64_t dropped = 0;
  friend bool operator==(const LineAccount&, const LineAccount&) = default;
};

/// The way of a line from the bytes read to its acknowledgement: batcher, encoder, queue and sender
/// as one. Loop thread only.
class Shipper {
 public:
  /// Everything given outlives the shipper.
  Shipper(net::Loop& loop, const Clock& clock, ShipperOptions options);
  ~Shipper();
  Shipper(const Shipper&) = delete;
  Shipper& operator=(const Shipper&) = delete;

  /// See Batcher. Bytes may be reserved whether or not there is room; it is the caller who stops
  /// reading.
  std::span<char> Reserve(wire::Output output, std::size_t wanted) {
    return batcher_.Reserve(output, wanted);
  }
  void Commit(wire::Output output, std::size_t bytes);
  void Finish(wire::Output output);

  /// Whether capture may read on; when not, `on_room` is called once it may.
  bool has_room() const { return queue_.has_room(); }
  std::function<void()> on_room;
  /// Gives back what the largest batch so far needed and the next one may not: now, or when the
  /// batch that is being filled is sealed. Not for every batch. Comes by itself when what had
  /// waited for a connection is delivered, or much had waited and now hardly anything does.
  void ReleaseBuffers();
  /// That was done: the least memory is in use now, so that what is free can go to the system.
  std::function<void()> on_released;

  /// Begins to connect, and to use the disk. Lines may be committed before. See Sender::Start.
  void Start(std::string metrics_address);
  /// Seals what there is and calls `on_flushed` once, from the loop, when nothing waits any more.
  void Flush(std::function<void()> on_flushed);
  /// What waits goes to the disk, if there is one; a Flush is not answered any more. Calls `done`
  /// once, when it is there or `patience` is over; at once without a disk.
  void Save(std::chrono::milliseconds patience, std::function<void()> done);
  /// Gives up: what waits and is not on disk is counted as dropped.
  void Abandon();
  /// Whether the disk is at work; then the end of the shipper waits for it.
  bool disk_busy() const { return disk_worker_ && disk_worker_->busy(); }
  /// Null without a spool, and before the start.
  const SpoolStatus* spool() const { return tier_ ? &tier_->status() : nullptr; }
  std::optional<AdoptionStatistics> adopted() const;

  LineAccount Account() const;
  const Batcher& batcher() const { return batcher_; }
  const Queue& queue() const { return queue_; }
  /// Sizes of the batches as they were sealed: their lines, and the frames made of those.
  const Histogram& batch_raw_bytes() const { return batch_raw_bytes_; }
  const Histogram& batch_wire_bytes() const { return batch_wire_bytes_; }
  /// Null without a collector.
  const Sender* sender() const { return sender_.get(); }
  /// What the snapshots sent to the collector hold.
  void SetMetrics(std::function<std::vector<wire::MetricFamily>()> metrics);
  /// When the oldest line that is not acknowledged was read.
  std::optional<SteadyTime> oldest_unsent() const;

 private:
  void CountLimited();
  void SealIfDue();
  void Seal();
  void SealMarks();
  void EndBatch();
  void PushSealed(const wire::BatchView& batch, const Totals& totals, SteadyTime first_entry);
  void OnPushed();
  void OnProgress();
  void OnDiskChange();
  void OfferRoom();
  void NoteDrained();
  void StartSpool();
  void CheckFlushed();

  const Clock& clock_;
  Batcher batcher_;
  wire::BatchEncoder encoder_;
  Queue queue_;
  Histogram batch_raw_bytes_{kBatchByteBounds};
  Histogram batch_wire_bytes_{kBatchByteBounds};
  net::Timer seal_timer_;
  net::Timer flushed_timer_;
  std::unique_ptr<Sender> sender_;
  std::optional<SpoolPlace> place_;
  SenderOptions adopter_options_;
  std::unique_ptr<SpoolTier> tier_;
  std::unique_ptr<SpoolAdopter> adopter_;
  std::unique_ptr<net::WorkerPool> disk_worker_;  // of both
  net::Loop& loop_;
  std::function<void()> on_flushed_;
  std::optional<SteadyTime> marks_deadline_;  // of gap markers that wait for a batch
  std::chrono::nanoseconds batch_age_;
  bool had_room_ = true;
  std::size_t kept_buffer_bytes_;
  bool release_due_ = false;           // once the batch is sealed
  std::size_t most_waiting_ = 0;       // bytes of frames, since it was last drained
  std::uint64_t outage_sequence_ = 0;  // of the last batch that was sealed without a connection
};

}  // namespace dunlin::shipper
