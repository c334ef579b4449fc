#include "agent/recent_lines.h"

#include <algorithm>
#include <utility>

namespace dunlin::agent {

using shipper::IndexOf;
using shipper::kOutputs;
using shipper::OutputAt;

namespace {

/// Outputs that take turns with less cost more memory than their bytes.
constexpr std::size_t kLeastChunkBytes = 16;

}  // namespace

void RecentLines::Add(wire::Output output, std::string_view chunk) {
  if (chunk.empty()) return;
  // A quarter of the memory at most, so that one busy output does not push out all of the other.
  const std::size_t most = limit_bytes_ / 4;
  const std::size_t kept = std::min(chunk.size(), most);
  bool cut = kept < chunk.size();
  while (bytes_ + kept > limit_bytes_ || chunks_.size() >= limit_bytes_ / kLeastChunkBytes) {
    DropOldest();
  }
  bool& in_line = in_line_[IndexOf(output)];
  const bool alone = std::none_of(chunks_.begin(), chunks_.end(),
                                  [output](const Chunk& other) { return other.output == output; });
  cut = cut || (alone && in_line);
  in_line = !chunk.ends_with('\n');
  Append(chunk.substr(chunk.size() - kept));
  if (!cut && !chunks_.empty() && chunks_.back().output == output &&
      chunks_.back().size + kept <= most) {
    chunks_.back().size += static_cast<std::uint32_t>(kept);
  } else {
    chunks_.push_back({output, cut, static_cast<std::uint32_t>(kept)});
  }
}

void RecentLines::DropOldest() {
  const Chunk oldest = chunks_.front();
  chunks_.pop_front();
  // What follows of that output may continue a line that is gone now.
  auto next = std::find_if(chunks_.begin(), chunks_.end(),
                           [&oldest](const Chunk& other) { return other.output == oldest.output; });
  if (next != chunks_.end() && ByteAt(oldest.size - 1) != '\n') next->cut = true;
  begin_ = (begin_ + oldest.size) % limit_bytes_;
  bytes_ -= oldest.size;
}

void RecentLines::Append(std::string_view bytes) {
  if (!ring_) ring_ = std::make_unique_for_overwrite<char[]>(limit_bytes_);
  const std::size_t end = (begin_ + bytes_) % limit_bytes_;
  const std::size_t first = std::min(bytes.size(), limit_bytes_ - end);
  bytes.copy(ring_.get() + end, first);
  bytes.substr(first).copy(ring_.get(), bytes.size() - first);
  bytes_ += bytes.size();
}

std::vector<RecentLines::Line> RecentLines::Tail(std::size_t count) const {
  std::vector<Line> lines;
  if (chunks_.empty()) return lines;
  std::array<std::string, kOutputs> unfinished;
  std::array<bool, kOutputs> skipping{};
  std::string all;
  all.reserve(bytes_);
  const std::size_t first = std::min(bytes_, limit_bytes_ - begin_);
  all.append(ring_.get() + begin_, first).append(ring_.get(), bytes_ - first);
  std::string_view chunks = all;
  for (const Chunk& chunk : chunks_) {
    const std::size_t i = IndexOf(chunk.output);
    if (chunk.cut) {
      skipping[i] = true;
      unfinished[i].clear();
    }
    std::string_view rest = chunks.substr(0, chunk.size);
    chunks.remove_prefix(chunk.size);
    for (std::size_t end; (end = rest.find('\n')) != std::string_view::npos;) {
      unfinished[i] += rest.substr(0, end);
      rest.remove_prefix(end + 1);
      if (!std::exchange(skipping[i], false)) lines.push_back({chunk.output, unfinished[i]});
      unfinished[i].clear();
    }
    unfinished[i] += rest;
  }
  for (std::size_t i = 0; i < kOutputs; ++i) {
    if (!skipping[i] && !unfinished[i].empty()) lines.push_back({OutputAt(i), unfinished[i]});
  }
  if (lines.size() > count)
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  return lines;
}

}  // namespace dunlin::agent
