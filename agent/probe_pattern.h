#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace dunlin::agent {

/// Bounds what one byte of a line can cost.
inline constexpr std::size_t kMaxPatternSteps = 512;

/// A regular expression for lines, compiled into a machine without backtracking: what a process
/// prints decides neither the time nor the memory that looking at it takes (docs/agent.md,
/// "Probes", has the syntax). Immutable.
class LinePattern {
 public:
  using ByteSet = std::bitset<256>;

  struct Step {
    enum class Kind : std::uint8_t { kByte, kSplit, kLineStart, kLineEnd, kMatch };
    Kind kind;
    std::uint16_t next = 0;   // unused by kMatch
    std::uint16_t other = 0;  // kSplit: the second way; kByte: index of the set that is passed
  };

  /// Errors: kInvalidArgument with what is wrong and where.
  static Result<LinePattern> Compile(std::string_view text);

  const std::vector<Step>& steps() const { return steps_; }
  std::uint16_t first_step() const { return first_step_; }
  bool Passes(const Step& step, unsigned char byte) const { return sets_[step.other][byte]; }

  /// Bytes of the same class are passed by the same steps.
  std::uint8_t ClassOf(unsigned char byte) const { return classes_[byte]; }
  std::size_t class_count() const { return class_count_; }

 private:
  friend class PatternCompiler;
  LinePattern() = default;

  std::vector<Step> steps_;
  std::vector<ByteSet> sets_;
  std::uint16_t first_step_ = 0;
  std::array<std::uint8_t, 256> classes_{};
  std::size_t class_count_ = 1;
};

}  // namespace dunlin::agent
