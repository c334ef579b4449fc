#include "shipper/shipper.h"

#include <algorithm>
#include <utility>

namespace dunlin::shipper {

Shipper::Shipper(net::Loop& loop, const Clock& clock, ShipperOptions options)
    : clock_(clock),
      batcher_(options.batcher),
      queue_(options.queue),
      seal_timer_(loop, [this] { SealIfDue(); }),
      flushed_timer_(loop,
                     [this] {
                       if (on_flushed_) std::exchange(on_flushed_, nullptr)();
                     }),
      batch_age_(options.batcher.batch_age) {
  if (options.sender) {
    sender_ = std::make_unique<Sender>(loop, clock, queue_, std::move(*options.sender));
    sender_->on_progress = [this] { OnProgress(); };
  }
}

Shipper::~Shipper() = default;

void Shipper::Commit(wire::Output output, std::size_t bytes) {
  batcher_.Commit(output, bytes, clock_.Now(), clock_.Steady());
  CountLimited();
  SealIfDue();
}

void Shipper::Finish(wire::Output output) {
  batcher_.Finish(output, clock_.Now(), clock_.Steady());
  CountLimited();
  SealIfDue();
}

void Shipper::Start(std::string metrics_address) {
  if (sender_) sender_->Start(std::move(metrics_address));
}

void Shipper::Flush(std::function<void()> on_flushed) {
  on_flushed_ = std::move(on_flushed);
  if (!batcher_.empty() || limited_deadline_) Seal();
  if (sender_ && !queue_.empty()) sender_->Hurry();
  CheckFlushed();
}

void Shipper::Abandon() {
  // Nothing more is sent: what is given up here must not arrive after all.
  if (!batcher_.empty()) {
    seal_timer_.Stop();
    queue_.CountDropped(DropReason::kShutdown, batcher_.Seal().totals);
  }
  queue_.DropAll(DropReason::kShutdown);
  if (sender_) sender_->Stop();
  CheckFlushed();
}

LineAccount Shipper::Account() const {
  LineAccount account;
  account.captured = LinesOf(batcher_.captured());
  account.acknowledged = queue_.acknowledged_lines();
  account.queued = queue_.lines() + LinesOf(batcher_.pending());
  for (const Dropped& dropped : queue_.dropped()) account.dropped += dropped.lines;
  return account;
}

void Shipper::SetMetrics(std::function<std::vector<wire::MetricFamily>()> metrics) {
  if (sender_) sender_->metrics = std::move(metrics);
}

std::optional<SteadyTime> Shipper::oldest_unsent() const {
  auto oldest = queue_.oldest_entry();
  return oldest ? oldest : batcher_.first_entry();
}

/// What the rate limit has just left out is dropped at once; its marker goes with the next batch.
void Shipper::CountLimited() {
  const Totals lines = batcher_.TakeLimited();
  if (LinesOf(lines) == 0) return;
  queue_.CountDropped(DropReason::kRateLimit, lines);
  for (std::size_t i = 0; i < kOutputs; ++i) {
    limited_[i].lines += lines[i].lines;
    limited_[i].bytes += lines[i].bytes;
    limited_[i].last_time_ns = std::max(limited_[i].last_time_ns, lines[i].last_time_ns);
  }
  if (!limited_deadline_) limited_deadline_ = clock_.Steady() + batch_age_;
}

/// Seals a batch that is full or old enough; else makes sure that the timer is set for its age.
void Shipper::SealIfDue() {
  auto deadline = batcher_.deadline() ? batcher_.deadline() : limited_deadline_;
  if (!deadline) return;
  auto left = *deadline - clock_.Steady();
  if (batcher_.full() || left <= left.zero() || on_flushed_) {
    Seal();
  } else if (!seal_timer_.active()) {
    seal_timer_.Start(left);
  }
}

void Shipper::Seal() {
  seal_timer_.Stop();
  limited_deadline_.reset();
  const Totals limited = std::exchange(limited_, {});
  if (batcher_.empty()) {
    // Nothing but a marker to send.
    if (!sender_) return;
    queue_.Mark(DropReason::kRateLimit, limited);
    sender_->OnQueued();
    return;
  }
  Batcher::Content content = batcher_.Seal();
  if (!sender_) {
    queue_.CountDropped(DropReason::kNoCollector, content.totals);
    return;
  }
  wire::BatchHeader header;
  header.base_monotonic_ns = content.base_monotonic_ns;
  header.stdout_lines_before = content.lines_before[IndexOf(wire::Output::kStdout)];
  header.stderr_lines_before = content.lines_before[IndexOf(wire::Output::kStderr)];
  const wire::BatchView batch =
      encoder_.Encode(header, content.columns, content.lines, content.lines_bytes);
  // Before and not after, so that memory never holds both.
  queue_.MakeRoom(wire::MaxFrameBytes(batch));
  std::string frame;
  wire::AppendBatchFrame(frame, batch);
  batch_raw_bytes_.Observe(static_cast<double>(content.lines_bytes));
  batch_wire_bytes_.Observe(static_cast<double>(frame.size()));
  queue_.Push({std::move(frame), content.totals, content.first_entry, limited});
  had_room_ = queue_.has_room();
  sender_->OnQueued();
}

void Shipper::OnProgress() {
  const bool has_room = queue_.has_room();
  if (has_room && !std::exchange(had_room_, has_room) && on_room) on_room();
  CheckFlushed();
}

void Shipper::CheckFlushed() {
  // Through the loop: the caller may destroy the shipper then.
  if (on_flushed_ && queue_.empty() && batcher_.empty()) flushed_timer_.Start({});
}

}  // namespace dunlin::shipper
