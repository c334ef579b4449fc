#include "shipper/queue.h"

#include <algorithm>
#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/give_back.h"
#include "protocol/wire/frame.h"
#include "shipper/spool/spool_format.h"

namespace dunlin::shipper {
namespace {

void Add(Totals& sum, const wire::Gap& gap) {
  OutputTotals& of = sum[IndexOf(gap.output)];
  of.lines += gap.lines;
  of.bytes += gap.bytes;
  of.last_time_ns = std::max(of.last_time_ns, static_cast<std::int64_t>(gap.time_ns));
}

}  // namespace

void Queue::Push(SealedBatch batch) {
  Check(batch.sequence == next_sequence_, "a batch out of order");
  ++next_sequence_;
  bytes_ += batch.frame.size();
  lines_ += LinesOf(batch.totals);
  Item& item = unsent_.emplace_back();
  item.first_sequence = item.sequence = batch.sequence;
  item.frame = std::move(batch.frame);
  item.totals = batch.totals;
  item.before = accounted_;
  item.first_entry = batch.first_entry;
  item.oldest_entry = batch.oldest_entry;
  item.gaps = std::move(batch.gaps);
  Add(accounted_, item.totals);
  for (const wire::Gap& gap : item.gaps) Add(accounted_, gap);
  MakeRoom(0);
}

void Queue::MakeRoom(std::size_t frame_bytes) {
  const DropReason reason = disk_failing_ ? DropReason::kSpoolIo : DropReason::kMemoryFull;
  while (bytes_ + frame_bytes > room_bytes()) {
    if (ForgetOneOnDisk()) continue;
    if (options_.when_full == WhenFull::kBlock || !DropOneUnsent(reason)) return;
  }
}

void Queue::PushMarks(const Clock& clock) {
  Item marks;
  marks.first_sequence = marks.sequence = next_sequence_;
  marks.gaps = TakeMarks();
  SealedBatch batch;
  batch.sequence = next_sequence_;
  batch.frame = GapFrame(marks);
  batch.first_entry = clock.Steady();
  batch.oldest_entry = clock.Now();
  batch.gaps = std::move(marks.gaps);
  MakeRoom(batch.frame.size());
  Push(std::move(batch));
}

void Queue::CountDropped(DropReason reason, const Totals& totals) { Count(reason, totals); }

void Queue::DropAll(DropReason reason) {
  for (std::deque<Item>* items : {&sent_, &unsent_}) {
    for (Item& item : *items) {
      if (!item.rejected && !item.written) Count(reason, item.totals);
    }
    items->clear();
  }
  marks_.clear();
  bytes_ = sent_bytes_ = 0;
  lines_ = spooled_lines_;
}

OutgoingBatch Queue::TakeUnsent() {
  Check(has_unsent(), "nothing to send");
  Item& item = sent_.emplace_back(std::move(unsent_.front()));
  unsent_.pop_front();
  if (item.frame.empty()) {
    item.frame = GapFrame(item);
    bytes_ += item.frame.size();
  }
  sent_bytes_ += item.frame.size();
  return {item.frame, item.sequence};
}

OutgoingBatch Queue::Sent(std::uint64_t sequence) const {
  const Item& item = sent_[SentIndex(sequence)];
  return {item.frame, item.sequence};
}

OutgoingBatch Queue::GiveUp(std::uint64_t sequence, DropReason reason) {
  Item& item = sent_[SentIndex(sequence)];
  Forget(item);
  TakeLines(item, item.totals);
  Count(reason, item.totals);
  AddGaps(item.gaps, DropReasonName(reason), std::exchange(item.totals, {}));
  item.frame = GapFrame(item);
  bytes_ += item.frame.size();
  sent_bytes_ += item.frame.size();
  return {item.frame, item.sequence};
}

bool Queue::Acknowledge(std::uint64_t sequence) {
  if (sequence >= unsent_sequence() && !adopted_) return false;
  while (!sent_.empty() && sent_.front().sequence <= sequence) {
    Item& item = sent_.front();
    if (!item.rejected) {
      acknowledged_lines_ += LinesOf(item.totals);
      ++acknowledged_batches_;
      TakeLines(item, item.totals);
    }
    Forget(item);
    sent_.pop_front();
  }
  // Those behind had their answer before; nothing more will be said of them.
  ForgetRejected();
  if (adopted_ && sent_.empty()) AcknowledgeUnsent(sequence);
  return true;
}

bool Queue::Reject(std::uint64_t sequence) {
  if (sequence < first_sequence() || sequence >= unsent_sequence()) return false;
  Item& item = sent_[SentIndex(sequence)];
  if (item.rejected) return true;
  item.rejected = true;
  ++rejected_batches_;
  TakeLines(item, item.totals);
  Count(DropReason::kRejected, item.totals);
  // The markers it carried move on; but when an empty batch of markers alone is refused, sending
  // them again would be refused for ever.
  if (item.has_lines()) {
    for (const wire::Gap& gap : item.gaps) AddGap(marks_, gap);
  }
  Mark(DropReason::kRejected, item.totals);
  // One further back keeps its place, so that sequences stay what they are; it goes with the
  // acknowledgement of those before it.
  ForgetRejected();
  return true;
}

std::optional<SteadyTime> Queue::oldest_entry() const {
  for (const std::deque<Item>* items : {&sent_, &unsent_}) {
    for (const Item& item : *items) {
      if (!item.rejected && (item.has_lines() || item.on_disk_only)) return item.first_entry;
    }
  }
  return std::nullopt;
}

/// The oldest unsent batch in memory that can neither be read back nor is being written becomes a
/// gap, or part of the one beside it. False when there is none.
bool Queue::DropOneUnsent(DropReason reason) {
  auto found = std::find_if(unsent_.begin(), unsent_.end(), [this](const Item& item) {
    return !item.frame.empty() && !item.written && item.sequence > writing_through_;
  });
  if (found == unsent_.end()) return false;
  bytes_ -= found->frame.size();
  TakeLines(*found, found->totals);
  Count(reason, found->totals);
  GiveBack(found->frame);
  // The markers of what was lost before it are those that it takes over.
  AddGaps(found->gaps, DropReasonName(reason), std::exchange(found->totals, {}));
  MergeGaps(static_cast<std::size_t>(found - unsent_.begin()));
  return true;
}

/// Makes one of the unsent gap at `index` and those beside it.
void Queue::MergeGaps(std::size_t index) {
  if (index > 0 && unsent_[index - 1].is_open_gap()) --index;
  while (index + 1 < unsent_.size() && unsent_[index + 1].is_open_gap()) {
    Item& next = unsent_[index + 1];
    Item& gap = unsent_[index];
    for (const wire::Gap& lost : next.gaps) AddGap(gap.gaps, lost);
    gap.sequence = next.sequence;
    gap.written = gap.written && next.written;
    unsent_.erase(unsent_.begin() + static_cast<std::ptrdiff_t>(index) + 1);
  }
}

void Queue::TakeLines(const Item& item, const Totals& totals) {
  lines_ -= LinesOf(totals);
  if (item.written) spooled_lines_ -= LinesOf(totals);
}

/// Where in the sent ones the batch is that a sequence belongs to.
std::size_t Queue::SentIndex(std::uint64_t sequence) const {
  auto found = std::partition_point(sent_.begin(), sent_.end(), [sequence](const Item& item) {
    return item.sequence < sequence;
  });
  Check(found != sent_.end() && found->first_sequence <= sequence, "a batch that is not held");
  return static_cast<std::size_t>(found - sent_.begin());
}

std::string Queue::GapFrame(const Item& gap) {
  wire::BatchView batch;
  batch.header.sequence = gap.sequence;
  if (gap.first_sequence != gap.sequence) batch.header.first_sequence = gap.first_sequence;
  batch.header.gaps = gap.gaps;
  for (const wire::Gap& lost : gap.gaps) {
    batch.base_time_ns = std::max(batch.base_time_ns, static_cast<std::int64_t>(lost.time_ns));
  }
  std::string frame;
  wire::AppendBatchFrame(frame, batch);
  return frame;
}

void Queue::ForgetRejected() {
  while (!sent_.empty() && sent_.front().rejected) {
    Forget(sent_.front());
    sent_.pop_front();
  }
}

void Queue::Forget(Item& item) {
  bytes_ -= item.frame.size();
  sent_bytes_ -= item.frame.size();
}

void Queue::Count(DropReason reason, const Totals& totals) {
  Dropped& dropped = dropped_[static_cast<std::size_t>(reason)];
  for (const OutputTotals& output : totals) {
    dropped.lines += output.lines;
    dropped.bytes += output.bytes;
  }
}

}  // namespace dunlin::shipper
