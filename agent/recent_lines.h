#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/units.h"
#include "protocol/wire/batch.h"
#include "shipper/batcher.h"

namespace dunlin::agent {

/// The end of what was captured, for /v1/logs/tail: raw chunks in one piece of memory, cut into
/// lines only when asked. One thread.
class RecentLines {
 public:
  struct Line {
    wire::Output output;
    std::string text;
    friend bool operator==(const Line&, const Line&) = default;
  };

  /// `limit_bytes`: some hundred or more.
  explicit RecentLines(std::size_t limit_bytes = 64_KiB) : limit_bytes_(limit_bytes) {}

  void Add(wire::Output output, std::string_view chunk);
  /// The last `count` whole lines, oldest first, and an unfinished one at the end of an output.
  std::vector<Line> Tail(std::size_t count) const;

 private:
  /// Bytes of one output, as they came; what comes behind them of the same output joins them.
  struct Chunk {
    wire::Output output;
    bool cut;  // begins in the middle of a line whose beginning is gone
    std::uint32_t size;
  };

  void DropOldest();
  void Append(std::string_view bytes);
  char ByteAt(std::size_t index) const { return ring_[(begin_ + index) % limit_bytes_]; }

  std::size_t limit_bytes_;
  std::unique_ptr<char[]> ring_;  // limit_bytes_, from the first chunk on
  std::size_t begin_ = 0;         // where the oldest byte lies
  std::size_t bytes_ = 0;
  std::deque<Chunk> chunks_;
  std::array<bool, shipper::kOutputs> in_line_{};  // the output's last byte was not a newline
};

}  // namespace dunlin::agent
