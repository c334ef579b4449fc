#include "shipper/shipper.h"

#include <algorithm>
#include <utility>

#include "protocol/wire/messages.h"

namespace dunlin::shipper {
namespace {

/// More than a healthy connection has under way.
constexpr std::size_t kMuchWaiting = 256_KiB;

}  // namespace

Shipper::Shipper(net::Loop& loop, const Clock& clock, ShipperOptions options)
    : clock_(clock),
      batcher_(options.batcher),
      queue_(options.queue),
      seal_timer_(loop, [this] { SealIfDue(); }),
      flushed_timer_(loop,
                     [this] {
                       if (on_flushed_) std::exchange(on_flushed_, nullptr)();
                     }),
      place_(std::move(options.spool)),
      loop_(loop),
      batch_age_(options.batcher.batch_age),
      kept_buffer_bytes_(2 * options.batcher.batch_bytes) {
  if (options.sender) {
    if (place_) adopter_options_ = *options.sender;
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
  if (!sender_) return;
  sender_->Start(std::move(metrics_address));
  if (place_) StartSpool();
}

void Shipper::StartSpool() {
  disk_worker_ = std::make_unique<net::WorkerPool>(loop_, 1);
  wire::Hello hello = adopter_options_.hello;
  hello.token.clear();
  auto disk = std::make_shared<SpoolDisk>(
      clock_,
      [place = *place_, boot = hello.boot_id, identity = wire::Encode(hello)] {
        return SpoolFolder(*place.fs, place.folder, place.options)
            .Create(place.instance, boot, identity);
      },
      [place = *place_](std::unique_ptr<Spool> spool) {
        return SpoolFolder(*place.fs, place.folder, place.options).Remove(std::move(spool));
      },
      place_->sync);
  tier_ = std::make_unique<SpoolTier>(
      loop_, clock_, *disk_worker_, queue_, std::move(disk),
      SpoolTierOptions{place_->options, place_->sync, place_->timing, queue_.drops_oldest()});
  tier_->on_change = [this] { OnDiskChange(); };
  tier_->Poke();
  adopter_ =
      std::make_unique<SpoolAdopter>(loop_, clock_, *disk_worker_, *place_, adopter_options_);
  adopter_->Start();
}

void Shipper::Flush(std::function<void()> on_flushed) {
  on_flushed_ = std::move(on_flushed);
  if (!batcher_.empty() || queue_.has_marks()) Seal();
  if (sender_ && !queue_.empty()) sender_->Hurry();
  CheckFlushed();
}

void Shipper::Save(std::chrono::milliseconds patience, std::function<void()> done) {
  on_flushed_ = nullptr;
  flushed_timer_.Stop();
  if (!tier_) return done();
  adopter_.reset();
  if (!batcher_.empty() || queue_.has_marks()) Seal();
  tier_->Finish(patience, std::move(done));
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
  account.spooled = queue_.spooled_lines();
  account.queued = queue_.lines() - account.spooled + LinesOf(batcher_.pending());
  for (const Dropped& dropped : queue_.dropped()) account.dropped += dropped.lines;
  return account;
}

std::optional<AdoptionStatistics> Shipper::adopted() const {
  if (!adopter_) return std::nullopt;
  return adopter_->statistics();
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
  if (sender_) queue_.Mark(DropReason::kRateLimit, lines);
}

/// Seals a batch that is full or old enough; else makes sure that the timer is set for its age.
void Shipper::SealIfDue() {
  if (sender_) {
    // A batch is full only after a read and two fragments more, and none of it may compress. The
    // usual limit has room for all that.
    const std::size_t limit = sender_->max_frame_bytes();
    batcher_.LimitBatch(limit > wire::kMaxFramePayloadBytes ? limit : limit / 8);
  }
  if (!queue_.has_marks()) {
    marks_deadline_.reset();
  } else if (!marks_deadline_) {
    marks_deadline_ = clock_.Steady() + batch_age_;
  }
  auto deadline = batcher_.deadline() ? batcher_.deadline() : marks_deadline_;
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
  marks_deadline_.reset();
  if (batcher_.empty()) {
    if (!queue_.has_marks()) return;
    queue_.PushMarks(clock_);  // that no other batch came to carry
    OnPushed();
    return;
  }
  Batcher::Content content = batcher_.Seal();
  if (!sender_) {
    queue_.CountDropped(DropReason::kNoCollector, content.totals);
    EndBatch();
    return;
  }
  wire::BatchHeader header;
  header.sequence = queue_.next_sequence();
  header.base_monotonic_ns = content.base_monotonic_ns;
  header.gaps = queue_.TakeMarks();
  header.stdout_lines_before = content.lines_before[IndexOf(wire::Output::kStdout)];
  header.stderr_lines_before = content.lines_before[IndexOf(wire::Output::kStderr)];
  batch_raw_bytes_.Observe(static_cast<double>(content.lines_bytes));
  PushSealed(encoder_.Encode(header, content.columns, content.lines, content.lines_bytes),
             content.totals, content.first_entry);
  EndBatch();
}

void Shipper::EndBatch() {
  if (std::exchange(release_due_, false)) {
    batcher_.ReleaseBuffers(0);
    encoder_.ReleaseAll();
    if (on_released) on_released();
  } else {
    // A batch of usual lines, with its columns, is smaller; one with a long line is not to cost its
    // size for good.
    batcher_.ReleaseBuffers(kept_buffer_bytes_);
    encoder_.ReleaseBuffers(kept_buffer_bytes_);
  }
}

void Shipper::ReleaseBuffers() {
  release_due_ = true;
  if (batcher_.empty()) EndBatch();
}

void Shipper::PushSealed(const wire::BatchView& batch, const Totals& totals,
                         SteadyTime first_entry) {
  // Before and not after, so that memory never holds both.
  queue_.SetBufferBytes(batcher_.buffer_bytes() + encoder_.buffer_bytes());
  queue_.MakeRoom(wire::MaxFrameBytes(batch));
  std::string frame;
  wire::AppendBatchFrame(frame, batch);
  batch_wire_bytes_.Observe(static_cast<double>(frame.size()));
  queue_.Push({std::move(frame), batch.header.sequence, totals, first_entry, batch.header.gaps,
               LogTime(std::chrono::nanoseconds(batch.base_time_ns))});
  OnPushed();
}

void Shipper::OnPushed() {
  had_room_ = queue_.has_room();
  most_waiting_ = std::max(most_waiting_, queue_.bytes());
  if (!sender_->connected()) outage_sequence_ = queue_.next_sequence() - 1;
  if (tier_) tier_->Poke();
  sender_->OnQueued();
}

void Shipper::OnProgress() {
  if (tier_) tier_->Poke();
  OfferRoom();
  NoteDrained();
  SealIfDue();  // a rejected batch has left a marker
  CheckFlushed();
}

void Shipper::OnDiskChange() {
  sender_->OnQueued();
  OfferRoom();
  SealIfDue();  // damage has left a marker
  CheckFlushed();
}

void Shipper::OfferRoom() {
  const bool has_room = queue_.has_room();
  if (has_room && !std::exchange(had_room_, has_room) && on_room) on_room();
}

/// However little waited through an outage: its small batches leave holes in the heap.
void Shipper::NoteDrained() {
  const bool drained = outage_sequence_ != 0
                           ? queue_.first_sequence() > outage_sequence_
                           : most_waiting_ >= kMuchWaiting && queue_.bytes() <= most_waiting_ / 8;
  if (!drained) return;
  outage_sequence_ = 0;
  most_waiting_ = queue_.bytes();
  ReleaseBuffers();
}

void Shipper::CheckFlushed() {
  // Through the loop: the caller may destroy the shipper then.
  if (on_flushed_ && queue_.empty() && batcher_.empty()) flushed_timer_.Start({});
}

}  // namespace dunlin::shipper
