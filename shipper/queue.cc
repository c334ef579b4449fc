#include "shipper/queue.h"

#include <algorithm>
#include <utility>

#include "protocol/base/check.h"
#include "protocol/wire/frame.h"

namespace dunlin::shipper {

void Queue::Push(SealedBatch batch) {
  bytes_ += batch.frame.size();
  lines_ += LinesOf(batch.totals);
  unsent_.push_back({std::move(batch.frame), batch.totals, batch.first_entry, {}, false});
  AddGaps(unsent_.back().gaps, DropReason::kRateLimit, batch.limited);
  MakeRoom(0);
}

void Queue::MakeRoom(std::size_t frame_bytes) {
  if (options_.when_full == WhenFull::kBlock) return;
  while (bytes_ + frame_bytes > options_.limit_bytes && !unsent_.empty()) {
    DropOldestUnsent(DropReason::kMemoryFull);
  }
}

void Queue::CountDropped(DropReason reason, const Totals& totals) { Count(reason, totals); }

void Queue::DropAll(DropReason reason) {
  for (std::deque<Item>* items : {&sent_, &unsent_}) {
    for (Item& item : *items) {
      if (!item.rejected) Count(reason, item.totals);
    }
    items->clear();
  }
  gaps_.clear();
  bytes_ = sent_bytes_ = 0;
  lines_ = 0;
}

std::string_view Queue::TakeUnsent() {
  Check(has_unsent(), "nothing to send");
  Item item;
  std::string unframed;
  wire::BatchView batch;
  if (!unsent_.empty()) {
    item = std::move(unsent_.front());
    unsent_.pop_front();
    bytes_ -= item.frame.size();
    unframed = std::exchange(item.frame, {});
    auto decoded = wire::DecodeBatch(std::string_view(unframed).substr(wire::kFrameHeaderBytes));
    Check(decoded.has_value(), "a batch sealed here does not decode");
    batch = *decoded;
  } else {
    batch.base_time_ns = static_cast<std::int64_t>(gaps_.back().time_ns);
  }
  // What was lost before the batch, then what is missing in it.
  for (const wire::Gap& gap : std::exchange(item.gaps, std::exchange(gaps_, {}))) {
    AddGap(item.gaps, gap);
  }
  batch.header.sequence = next_sequence_;
  batch.header.gaps = item.gaps;
  wire::AppendBatchFrame(item.frame, batch);
  bytes_ += item.frame.size();
  sent_bytes_ += item.frame.size();
  ++next_sequence_;
  sent_.push_back(std::move(item));
  return sent_.back().frame;
}

std::string_view Queue::SentFrame(std::uint64_t sequence) const {
  Check(sequence >= first_sequence() && sequence < next_sequence_, "a batch that is not held");
  return sent_[sequence - first_sequence()].frame;
}

bool Queue::Acknowledge(std::uint64_t sequence) {
  if (sequence >= next_sequence_) return false;
  while (!sent_.empty() && first_sequence() <= sequence) {
    Item& item = sent_.front();
    if (!item.rejected) {
      acknowledged_lines_ += LinesOf(item.totals);
      ++acknowledged_batches_;
      lines_ -= LinesOf(item.totals);
    }
    Forget(item);
    sent_.pop_front();
  }
  // Those behind had their answer before; nothing more will be said of them.
  ForgetRejected();
  return true;
}

bool Queue::Reject(std::uint64_t sequence) {
  if (sequence < first_sequence() || sequence >= next_sequence_) return false;
  Item& item = sent_[sequence - first_sequence()];
  if (item.rejected) return true;
  item.rejected = true;
  ++rejected_batches_;
  lines_ -= LinesOf(item.totals);
  Count(DropReason::kRejected, item.totals);
  // The markers it carried move on; but when an empty batch of markers alone is refused, sending
  // them again would be refused for ever.
  if (LinesOf(item.totals) > 0) {
    for (const wire::Gap& gap : item.gaps) AddGap(gaps_, gap);
  }
  AddGaps(gaps_, DropReason::kRejected, item.totals);
  // One further back keeps its place, so that sequences stay what they are; it goes with the
  // acknowledgement of those before it.
  ForgetRejected();
  return true;
}

std::optional<SteadyTime> Queue::oldest_entry() const {
  for (const std::deque<Item>* items : {&sent_, &unsent_}) {
    for (const Item& item : *items) {
      if (!item.rejected && LinesOf(item.totals) > 0) return item.first_entry;
    }
  }
  return std::nullopt;
}

void Queue::DropOldestUnsent(DropReason reason) {
  Item& item = unsent_.front();
  bytes_ -= item.frame.size();
  lines_ -= LinesOf(item.totals);
  Count(reason, item.totals);
  AddGaps(gaps_, reason, item.totals);
  for (const wire::Gap& gap : item.gaps) AddGap(gaps_, gap);
  unsent_.pop_front();
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

void Queue::AddGaps(std::vector<wire::Gap>& gaps, DropReason reason, const Totals& totals) {
  for (std::size_t i = 0; i < kOutputs; ++i) {
    if (totals[i].lines == 0) continue;
    AddGap(gaps, {.time_ns = static_cast<std::uint64_t>(totals[i].last_time_ns),
                  .output = OutputAt(i),
                  .lines = totals[i].lines,
                  .bytes = totals[i].bytes,
                  .reason = std::string(DropReasonName(reason))});
  }
}

/// One marker per reason and output: an outage of a day is one marker, not one per batch.
void Queue::AddGap(std::vector<wire::Gap>& gaps, const wire::Gap& gap) {
  auto same = std::find_if(gaps.begin(), gaps.end(), [&gap](const wire::Gap& other) {
    return other.output == gap.output && other.reason == gap.reason;
  });
  if (same == gaps.end()) {
    gaps.push_back(gap);
    return;
  }
  same->lines += gap.lines;
  same->bytes += gap.bytes;
  same->time_ns = std::max(same->time_ns, gap.time_ns);
}

void Queue::Count(DropReason reason, const Totals& totals) {
  Dropped& dropped = dropped_[static_cast<std::size_t>(reason)];
  for (const OutputTotals& output : totals) {
    dropped.lines += output.lines;
    dropped.bytes += output.bytes;
  }
}

}  // namespace dunlin::shipper
