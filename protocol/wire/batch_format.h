#pragma once

#include <cstdint>

namespace dunlin::wire {

/// Field numbers of Batch, Columns, Mark and Gap in dunlin.proto, for the hand-written writer and
/// reader.
namespace batch_field {
inline constexpr std::uint32_t kSequence = 1;
inline constexpr std::uint32_t kBaseTime = 2;
inline constexpr std::uint32_t kBaseMonotonic = 3;
inline constexpr std::uint32_t kEntries = 4;
inline constexpr std::uint32_t kRawBytes = 5;
inline constexpr std::uint32_t kContentBytes = 6;
inline constexpr std::uint32_t kContent = 7;
inline constexpr std::uint32_t kGaps = 8;
inline constexpr std::uint32_t kStdoutLinesBefore = 9;
inline constexpr std::uint32_t kStderrLinesBefore = 10;
inline constexpr std::uint32_t kFirstSequence = 11;
}  // namespace batch_field

namespace columns_field {
inline constexpr std::uint32_t kLines = 1;
inline constexpr std::uint32_t kLineLengths = 2;
inline constexpr std::uint32_t kRunOutputs = 3;
inline constexpr std::uint32_t kRunEntries = 4;
inline constexpr std::uint32_t kRunTimeDeltas = 5;
inline constexpr std::uint32_t kMarks = 6;
}  // namespace columns_field

namespace mark_field {
inline constexpr std::uint32_t kEntry = 1;
inline constexpr std::uint32_t kUnterminated = 2;
inline constexpr std::uint32_t kFragmentId = 3;
inline constexpr std::uint32_t kFragmentIndex = 4;
inline constexpr std::uint32_t kFragmentLast = 5;
inline constexpr std::uint32_t kTruncatedBytes = 6;
}  // namespace mark_field

namespace gap_field {
inline constexpr std::uint32_t kTime = 1;
inline constexpr std::uint32_t kOutput = 2;
inline constexpr std::uint32_t kLines = 3;
inline constexpr std::uint32_t kBytes = 4;
inline constexpr std::uint32_t kReason = 5;
}  // namespace gap_field

}  // namespace dunlin::wire
