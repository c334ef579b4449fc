#include "collector/store/lines/value_streams.h"

#include <bit>

#include "protocol/base/check.h"

namespace dunlin::store {
namespace {

/// The first of the streams of a kind; numbers, codes and the high bytes of both have four, by the
/// bits of the greatest.
enum Stream : std::uint8_t {
  kLengths = 0,
  kNumbers = 1,
  kCodes = 5,
  kHighBytes = 9,
  kLowBytes = 13,
  kHex = 14,
  kDigitTexts = 15,
  kWordTexts = 16,
  kShortTexts = 17,
  kLongTexts = 18,
};

/// A part of a column that large has a frame of its own, and so a code of its own.
constexpr std::size_t kOwnFrameBytes = 4096;
/// Less is compressed with what follows.
constexpr std::size_t kFewestFrameBytes = 1024;
constexpr std::size_t kMostSharedFrameBytes = 128 * 1024;
constexpr std::uint32_t kLongText = 24;

/// Of bytes that are at most `most`.
std::uint8_t ByBits(Stream first, std::uint64_t most) {
  const auto bits = static_cast<unsigned>(std::bit_width(most | 1));
  return static_cast<std::uint8_t>(first + (bits - 1) / 2 % 4);
}

std::uint8_t OfTexts(const ValueColumnInfo& info) {
  if (info.classes == kDecimalDigits) return kDigitTexts;
  if ((info.classes & kOtherBytes) == 0) return kWordTexts;
  return info.most_bytes <= kLongText ? kShortTexts : kLongTexts;
}

class PartList {
 public:
  void Add(std::uint8_t stream, std::uint64_t bytes) {
    if (bytes > 0) list_.parts[list_.count++] = {stream, bytes};
  }
  /// Numbers that are at most `most`.
  void AddPlanes(Stream of_one_byte, std::uint64_t count, std::uint8_t width, std::uint64_t most) {
    if (width == 1) {
      Add(ByBits(of_one_byte, most), count);
    } else {
      Add(ByBits(kHighBytes, most >> (8 * (width - 1)) & 0xFF), count);
      Add(kLowBytes, count * (width - 1U));
    }
  }
  const ValueParts& list() const { return list_; }

 private:
  ValueParts list_;
};

}  // namespace

std::optional<ValueParts> PartsOf(const ValueColumnInfo& info, std::uint32_t rows) {
  PartList parts;
  switch (info.kind) {
    case ValueKind::kConstant:
      break;
    case ValueKind::kNumber:
      parts.AddPlanes(kNumbers, rows, info.width, info.most - info.least);
      break;
    case ValueKind::kDelta:
      parts.AddPlanes(kNumbers, rows - 1, info.width, UINT64_MAX);
      break;
    case ValueKind::kDictionary: {
      const std::uint64_t lengths = std::uint64_t{info.entries} * info.width;
      const std::uint8_t width = info.code_width();
      const std::uint64_t codes = std::uint64_t{rows} * width;
      if (info.area_bytes < lengths + codes) return {};
      parts.Add(kLengths, lengths);
      parts.Add(OfTexts(info), info.area_bytes - lengths - codes);
      parts.AddPlanes(kCodes, rows, width, info.entries - 1);
      break;
    }
    case ValueKind::kHex:
      parts.Add(kHex, info.area_bytes);
      break;
    case ValueKind::kBytes: {
      const std::uint64_t lengths = std::uint64_t{rows} * info.width;
      if (info.area_bytes < lengths) return {};
      parts.Add(kLengths, lengths);
      parts.Add(OfTexts(info), info.area_bytes - lengths);
      break;
    }
  }
  return parts.list();
}

void ValueStreams::Clear() {
  for (std::string& bytes : bytes_) bytes.clear();
  for (std::vector<std::size_t>& ends : part_ends_) ends.clear();
}

void ValueStreams::Add(const ValueColumnInfo& info, std::uint32_t rows, std::string_view area) {
  const auto parts = PartsOf(info, rows);
  Check(parts.has_value(), "a column has its parts");
  for (std::size_t i = 0; i < parts->count; ++i) {
    const ValuePart& part = parts->parts[i];
    bytes_[part.stream].append(area.substr(0, part.bytes));
    part_ends_[part.stream].push_back(bytes_[part.stream].size());
    area.remove_prefix(part.bytes);
  }
  Check(area.empty(), "all bytes of a column are in its parts");
}

void ValueStreams::Finish(std::string& values, std::vector<std::size_t>& frame_ends) const {
  values.clear();
  frame_ends.clear();
  std::size_t cut = 0;
  auto cut_at = [&](std::size_t end, std::size_t fewest) {
    if (end - cut < fewest) return;
    frame_ends.push_back(end);
    cut = end;
  };
  for (std::size_t stream = 0; stream < kValueStreams; ++stream) {
    const std::size_t begin = values.size();
    std::size_t part_begin = begin;
    for (std::size_t end : part_ends_[stream]) {
      end += begin;
      const bool own = end - part_begin >= kOwnFrameBytes;
      if (own) cut_at(part_begin, kFewestFrameBytes);
      cut_at(end, own ? 1 : kMostSharedFrameBytes);
      part_begin = end;
    }
    values += bytes_[stream];
    cut_at(values.size(), kFewestFrameBytes);
  }
  cut_at(values.size(), 1);
}

}  // namespace dunlin::store
