// The part of Queue that knows of a disk.
#include <algorithm>
#include <iterator>
#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/give_back.h"
#include "protocol/wire/frame.h"
#include "shipper/queue.h"
#include "shipper/spool/spool_format.h"

namespace dunlin::shipper {
namespace {

/// What lies in memory in front of a stretch on disk: enough for a connection to stay busy while
/// the next is read.
constexpr std::size_t kReadAheadBytes = 256_KiB;

/// As much of `part` as there is, and takes it from `whole`.
Totals TakeFrom(Totals& whole, const Totals& part) {
  Totals taken = part;
  for (std::size_t i = 0; i < kOutputs; ++i) {
    taken[i].lines = std::min(whole[i].lines, part[i].lines);
    taken[i].bytes = std::min(whole[i].bytes, part[i].bytes);
    whole[i].lines -= taken[i].lines;
    whole[i].bytes -= taken[i].bytes;
  }
  return taken;
}

Totals TotalsOf(const std::vector<wire::Gap>& gaps) {
  Totals totals{};
  for (const wire::Gap& gap : gaps) {
    totals[IndexOf(gap.output)].lines += gap.lines;
    totals[IndexOf(gap.output)].bytes += gap.bytes;
  }
  return totals;
}

/// What a batch of this boot says of its first entry.
struct FirstEntry {
  SteadyTime read;
  LogTime time;
};
std::optional<FirstEntry> FirstEntryOf(std::string_view frame) {
  // Anybody who may write the folder may have left something that is no frame.
  if (frame.size() < wire::kFrameHeaderBytes) return std::nullopt;
  auto batch = wire::DecodeBatch(frame.substr(wire::kFrameHeaderBytes));
  if (!batch || batch->header.base_monotonic_ns == 0) return std::nullopt;
  return FirstEntry{SteadyTime(std::chrono::nanoseconds(batch->header.base_monotonic_ns)),
                    LogTimeOf(batch->base_time_ns)};
}

}  // namespace

void Queue::Adopt(std::uint64_t first, std::uint64_t last, const Totals& totals) {
  Check(next_sequence_ == 1 && unsent_.empty(), "adopted into a queue in use");
  disk_ = adopted_ = true;
  next_sequence_ = last + 1;
  written_through_ = last;
  if (first > last) return;
  Item& item = unsent_.emplace_back();
  item.first_sequence = first;
  item.sequence = last;
  item.written = item.on_disk_only = true;
  on_disk_only_totals_ = totals;
  lines_ = spooled_lines_ = LinesOf(totals);
}

bool Queue::has_unwritten() const {
  if (adopted_) return false;  // markers, which the next adopter would find again
  const Item* last = !unsent_.empty() ? &unsent_.back() : !sent_.empty() ? &sent_.back() : nullptr;
  return last != nullptr && !last->written && last->first_sequence > written_through_;
}

std::vector<UnwrittenBatch> Queue::BeginWrite(std::size_t bytes) {
  std::vector<UnwrittenBatch> batches;
  std::size_t taken = 0;
  for (std::deque<Item>* items : {&sent_, &unsent_}) {
    auto item = std::partition_point(items->begin(), items->end(), [this](const Item& i) {
      return i.first_sequence <= written_through_;
    });
    for (; item != items->end(); ++item) {
      if (item->on_disk_only || item->rejected || item->written) continue;
      if (item->frame.empty()) {  // a gap, which grows no more
        item->frame = GapFrame(*item);
        bytes_ += item->frame.size();
      }
      if (!batches.empty() && taken + item->frame.size() > bytes) return batches;
      taken += item->frame.size();
      batches.push_back({{item->first_sequence, item->sequence, item->totals, item->gaps,
                          item->oldest_entry, item->before},
                         item->frame});
      writing_through_ = item->sequence;
    }
  }
  return batches;
}

void Queue::EndWrite(std::uint64_t through, bool failing) {
  for (std::deque<Item>* items : {&sent_, &unsent_}) {
    for (Item& item : *items) {
      if (item.sequence > through) break;
      if (item.sequence <= written_through_ || item.written || item.frame.empty()) continue;
      item.written = true;
      if (!item.rejected) spooled_lines_ += LinesOf(item.totals);
    }
  }
  written_through_ = std::max(written_through_, through);
  writing_through_ = 0;
  disk_failing_ = failing;
  MakeRoom(0);
}

/// A collector may have what nobody here knows to have been sent.
void Queue::AcknowledgeUnsent(std::uint64_t sequence) {
  while (!unsent_.empty() && unsent_.front().first_sequence <= sequence) {
    Item& item = unsent_.front();
    if (item.sequence > sequence) {
      item.first_sequence = sequence + 1;
      break;
    }
    TakeLines(item, item.totals);
    bytes_ -= item.frame.size();
    unsent_.pop_front();
  }
  SettleStretches();
}

/// Where the first stretch is that only the disk has; the end when there is none.
std::size_t Queue::StretchIndex() const {
  auto found = std::find_if(unsent_.begin(), unsent_.end(),
                            [](const Item& item) { return item.on_disk_only; });
  return static_cast<std::size_t>(found - unsent_.begin());
}

/// What lies in memory in front of a stretch on disk, at most.
std::size_t Queue::read_ahead_bytes() const {
  return std::min(kReadAheadBytes, options_.limit_bytes / 4);
}

/// The oldest written batch behind those that are the next to be sent: they would only have to be
/// read again.
bool Queue::ForgetOneOnDisk() {
  if (!disk_) return false;
  bool behind = false;
  std::size_t ahead = 0;
  std::size_t index = 0;
  for (; index < unsent_.size(); ++index) {
    const Item& item = unsent_[index];
    behind = behind || item.on_disk_only || ahead >= read_ahead_bytes();
    if (behind && !item.frame.empty() && item.written) break;
    ahead += item.frame.size();
  }
  if (index == unsent_.size()) return false;
  ForgetBytes(index);
  return true;
}

void Queue::ForgetOlderThan(LogTime limit) {
  // From the back, because the batch becomes one with those behind and in front of it.
  for (std::size_t index = unsent_.size(); index-- > 0;) {
    const Item& item = unsent_[index];
    if (!item.frame.empty() && item.written && item.oldest_entry < limit) ForgetBytes(index);
  }
}

/// Of an unsent batch that is on disk. It becomes one stretch with those beside it.
void Queue::ForgetBytes(std::size_t index) {
  Item& item = unsent_[index];
  bytes_ -= item.frame.size();
  GiveBack(item.frame);
  GiveBack(item.gaps);  // they come back with it
  item.on_disk_only = true;
  Add(on_disk_only_totals_, std::exchange(item.totals, {}));
  if (index + 1 < unsent_.size() && unsent_[index + 1].on_disk_only) JoinNext(index);
  if (index > 0 && unsent_[index - 1].on_disk_only) JoinNext(index - 1);
}

void Queue::JoinNext(std::size_t index) {
  unsent_[index].sequence = unsent_[index + 1].sequence;
  unsent_.erase(unsent_.begin() + static_cast<std::ptrdiff_t>(index) + 1);
}

std::optional<Queue::Stretch> Queue::on_disk_only() const {
  const std::size_t index = StretchIndex();
  if (index == unsent_.size()) return std::nullopt;
  return Stretch{unsent_[index].first_sequence, unsent_[index].sequence};
}

bool Queue::wants_read() const {
  std::size_t ahead = 0;
  for (const Item& item : unsent_) {
    if (item.on_disk_only) return true;
    ahead += item.frame.size();
    if (ahead >= read_ahead_bytes()) return false;
  }
  return false;
}

void Queue::OnRead(SpoolBatch batch) {
  const std::size_t index = StretchIndex();
  // What was dropped, or acknowledged, while it was being read.
  if (index == unsent_.size() || batch.sequence < unsent_[index].first_sequence) return;
  if (batch.first_sequence > unsent_[index].first_sequence) return;  // in its turn
  Item& stretch = unsent_[index];
  Item item;
  item.first_sequence = stretch.first_sequence;
  item.sequence = std::min(batch.sequence, stretch.sequence);
  item.first_entry = stretch.first_entry;
  item.before = stretch.before;
  item.written = true;
  item.gaps = std::move(batch.gaps);
  if (!batch.frame.empty()) {
    item.totals = TakeFrom(on_disk_only_totals_, batch.totals);
    if (auto first = FirstEntryOf(batch.frame)) {
      item.first_entry = stretch.first_entry = first->read;
      item.oldest_entry = first->time;
    }
    item.frame = std::move(batch.frame);
    bytes_ += item.frame.size();
    stretch.before = AfterBatch(
        {item.first_sequence, item.sequence, item.totals, item.gaps, {}, stretch.before});
  } else {
    // What is lost may reach beyond what only the disk had.
    const bool beyond =
        batch.first_sequence < stretch.first_sequence || batch.sequence > stretch.sequence;
    const Totals before = std::exchange(
        stretch.before, batch.sequence < stretch.sequence ? batch.after : SumBefore(index + 1));
    Totals lost = batch.lost;
    if (beyond && !adopted_) {
      lost = Difference(before, stretch.before);
      item.gaps = {};
      AddGaps(item.gaps, kSpoolDamageReason, lost);
    }
    // The lines of an adopted spool include those that its own agent dropped, counted, and left a
    // marker of.
    Totals gone = TakeFrom(on_disk_only_totals_, adopted_ ? TotalsOf(item.gaps) : lost);
    TakeLines(stretch, gone);
    Count(DropReason::kSpoolIo, TakeFrom(gone, lost));
  }
  stretch.first_sequence = item.sequence + 1;
  unsent_.insert(unsent_.begin() + static_cast<std::ptrdiff_t>(index), std::move(item));
  EndStretch(index + 1);
  // Nothing is dropped for what was only read ahead.
  while (bytes_ > room_bytes() && ForgetOneOnDisk()) continue;
}

/// What everything in front of the unsent batch at `index` accounted for; of all when there is
/// none.
const Totals& Queue::SumBefore(std::size_t index) const {
  return index < unsent_.size() ? unsent_[index].before : accounted_;
}

/// Removes a stretch of which all was read or dropped. What the last one should have held beyond
/// that was lost to damage.
void Queue::EndStretch(std::size_t index) {
  const Item stretch = unsent_[index];
  if (stretch.first_sequence <= stretch.sequence) return;
  unsent_.erase(unsent_.begin() + static_cast<std::ptrdiff_t>(index));
  SettleStretches();
}

void Queue::SettleStretches() {
  if (StretchIndex() < unsent_.size()) return;
  const Totals left = std::exchange(on_disk_only_totals_, {});
  lines_ -= LinesOf(left);
  spooled_lines_ -= LinesOf(left);
  // The collector had them, or a gap told of them.
  if (adopted_) return;
  Count(DropReason::kSpoolIo, left);
  Mark(DropReason::kSpoolIo, left);
}

void Queue::OnDiskDropped(const SpoolDrop& drop, DropReason reason) {
  Item gap;
  gap.first_sequence = drop.first_sequence;
  gap.sequence = drop.sequence;
  gap.gaps = drop.gaps;
  gap.before = drop.before;
  gap.written = true;
  Totals left = drop.totals;
  Totals removed{};
  auto at = std::find_if(unsent_.begin(), unsent_.end(), [&drop](const Item& item) {
    return item.sequence >= drop.first_sequence;
  });
  if (at != unsent_.end() && at->first_sequence < drop.first_sequence) {
    Check(at->on_disk_only, "the disk drops part of a batch");
    Item before = *at;
    before.sequence = drop.first_sequence - 1;
    at->first_sequence = drop.first_sequence;
    at->before = drop.before;
    at = unsent_.insert(at, std::move(before)) + 1;
  }
  while (at != unsent_.end() && at->first_sequence <= drop.sequence) {
    if (at->sequence > drop.sequence) {  // of a stretch, its first part
      at->first_sequence = drop.sequence + 1;
      at->before = drop.after;
      break;
    }
    TakeFrom(left, at->totals);
    TakeLines(*at, at->totals);
    Add(removed, at->totals);
    bytes_ -= at->frame.size();
    // Of gaps that the disk does not know.
    if (!at->written) {
      for (const wire::Gap& lost : at->gaps) AddGap(gap.gaps, lost);
    }
    at = unsent_.erase(at);
  }
  at = unsent_.insert(at, std::move(gap));
  // What memory did not have was on disk alone.
  left = TakeFrom(on_disk_only_totals_, left);
  lines_ -= LinesOf(left);
  spooled_lines_ -= LinesOf(left);
  Add(removed, left);
  Count(reason, removed);
  MergeGaps(static_cast<std::size_t>(at - unsent_.begin()));
  SettleStretches();
}

}  // namespace dunlin::shipper
