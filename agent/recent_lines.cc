#include "agent/recent_lines.h"

#include <algorithm>
#include <utility>

namespace dunlin::agent {

using shipper::IndexOf;
using shipper::kOutputs;
using shipper::OutputAt;

void RecentLines::Add(wire::Output output, std::string_view chunk) {
  if (chunk.empty()) return;
  // A quarter of the memory at most, so that one busy output does not push out all of the other.
  const std::size_t kept = std::min(chunk.size(), limit_bytes_ / 4);
  bool cut = kept < chunk.size();
  std::string reused;
  bytes_ += kept;
  while (bytes_ > limit_bytes_) {
    Chunk& oldest = chunks_.front();
    bytes_ -= oldest.bytes.size();
    reused = std::move(oldest.bytes);
    // What follows of that output may continue a line that is gone now.
    auto next = std::find_if(chunks_.begin() + 1, chunks_.end(), [&oldest](const Chunk& other) {
      return other.output == oldest.output;
    });
    if (next != chunks_.end() && !reused.ends_with('\n')) next->cut = true;
    chunks_.pop_front();
  }
  bool& in_line = in_line_[IndexOf(output)];
  const bool alone = std::none_of(chunks_.begin(), chunks_.end(),
                                  [output](const Chunk& other) { return other.output == output; });
  cut = cut || (alone && in_line);
  in_line = !chunk.ends_with('\n');
  reused.assign(chunk.substr(chunk.size() - kept));
  chunks_.push_back({output, cut, std::move(reused)});
}

std::vector<RecentLines::Line> RecentLines::Tail(std::size_t count) const {
  std::vector<Line> lines;
  std::array<std::string, kOutputs> unfinished;
  std::array<bool, kOutputs> skipping{};
  for (const Chunk& chunk : chunks_) {
    const std::size_t i = IndexOf(chunk.output);
    if (chunk.cut) {
      skipping[i] = true;
      unfinished[i].clear();
    }
    std::string_view rest = chunk.bytes;
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
