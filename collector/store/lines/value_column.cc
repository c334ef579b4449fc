#include "collector/store/lines/value_column.h"

#include <algorithm>

#include "collector/store/lines/text_copy.h"

namespace dunlin::store {
namespace {

constexpr std::uint32_t kMostValueBytes = 1u << 30;
constexpr std::uint32_t kMostNumberBytes = 20;

std::uint8_t WidthOf(std::uint64_t most) {
  std::uint8_t width = 1;
  while (width < 8 && (most >> (8 * width)) != 0) ++width;
  return width;
}

std::uint32_t DigitsOf(std::uint64_t number) {
  std::uint32_t digits = 1;
  for (; number >= 10; number /= 10) ++digits;
  return digits;
}

bool ReadNumberInfo(ByteReader& directory, std::uint32_t rows, ValueColumnInfo& info) {
  const auto width = directory.ReadFixed<std::uint8_t>();
  const auto least = directory.ReadVarint();
  const auto range = directory.ReadVarint();
  if (!width || !least || !range || *range > UINT64_MAX - *least) return false;
  info.width = *width & 0x7F;
  info.zero_padded = (*width & 0x80) != 0;
  info.least = *least;
  info.most = *least + *range;
  if (info.width < 1 || info.width > 8) return false;
  info.area_bytes = std::uint64_t{rows} * info.width;
  if (info.kind == ValueKind::kDelta) {
    const auto first = directory.ReadVarint();
    const auto least_delta = directory.ReadVarint();
    if (!first || !least_delta || *first > *range) return false;
    info.first = *least + *first;
    info.least_delta = *least_delta;
    info.area_bytes -= info.width;
  }
  info.classes = kDecimalDigits;
  if (info.zero_padded && info.least_bytes != info.most_bytes) return false;
  return info.most_bytes <= kMostNumberBytes && DigitsOf(info.most) <= info.most_bytes;
}

}  // namespace

std::optional<ValueColumnInfo> ReadValueColumnInfo(ByteReader& directory, std::uint32_t rows) {
  ValueColumnInfo info;
  const auto kind = directory.ReadFixed<std::uint8_t>();
  if (!kind || *kind > static_cast<std::uint8_t>(ValueKind::kBytes) || rows == 0) return {};
  info.kind = static_cast<ValueKind>(*kind);
  if (info.kind == ValueKind::kConstant) {
    const auto value = directory.ReadLengthPrefixed();
    if (!value || value->size() > kMostValueBytes) return {};
    info.constant = *value;
    info.least_bytes = info.most_bytes = static_cast<std::uint32_t>(value->size());
    info.classes = ByteClassesOf(*value);
    return info;
  }
  const auto least = directory.ReadVarint();
  const auto more = directory.ReadVarint();
  if (!least || !more || *least > kMostValueBytes || *more > kMostValueBytes) return {};
  info.least_bytes = static_cast<std::uint32_t>(*least);
  info.most_bytes = static_cast<std::uint32_t>(*least + *more);
  switch (info.kind) {
    case ValueKind::kNumber:
    case ValueKind::kDelta:
      if (!ReadNumberInfo(directory, rows, info)) return {};
      break;
    case ValueKind::kHex:
      if (*more != 0) return {};
      info.classes = kDecimalDigits | kLowerHexLetters;
      info.area_bytes = std::uint64_t{rows} * ((*least + 1) / 2);
      break;
    case ValueKind::kDictionary:
    case ValueKind::kBytes: {
      info.classes = directory.ReadFixed<std::uint8_t>().value_or(0);
      if (info.kind == ValueKind::kDictionary) {
        const std::uint64_t entries = directory.ReadVarint().value_or(0);
        if (entries == 0 || entries > rows) return {};
        info.entries = static_cast<std::uint32_t>(entries);
      }
      info.width = *more == 0 ? 0 : WidthOf(info.most_bytes);
      info.area_bytes = directory.ReadVarint().value_or(0);
      break;
    }
    case ValueKind::kConstant:
      break;
  }
  if (directory.failed()) return {};
  return info;
}

std::optional<ValueColumn> ValueColumn::Make(const ValueColumnInfo& info, Parts parts,
                                             std::uint32_t rows) {
  std::uint64_t bytes = 0;
  for (std::string_view part : parts) bytes += part.size();
  if (bytes != info.area_bytes) return {};
  ValueColumn column;
  column.info_ = info;
  column.rows_ = rows;
  bool good = true;
  switch (info.kind) {
    case ValueKind::kConstant:
      break;
    case ValueKind::kNumber:
      good = column.SetNumbers(parts);
      break;
    case ValueKind::kDelta:
      good = column.SetDeltas(parts);
      break;
    case ValueKind::kDictionary:
      good = column.SetDictionary(parts);
      break;
    case ValueKind::kHex:
      if (!parts.empty()) column.bytes_ = parts[0].data();
      break;
    case ValueKind::kBytes:
      good = column.SetBytes(parts);
      break;
  }
  if (!good) return {};
  return column;
}

/// Takes planes of `count` numbers from the front of `parts`.
bool ValueColumn::SetPlanes(Parts& parts, std::uint32_t count, std::uint8_t width) {
  const std::size_t needed = width == 1 ? 1 : 2;
  if (count == 0) return parts.empty();
  if (parts.size() < needed || parts[0].size() != count) return false;
  high_ = reinterpret_cast<const unsigned char*>(parts[0].data());
  plane_count_ = width;
  plane_rows_ = count;
  if (width > 1) {
    if (parts[1].size() != std::size_t{count} * (width - 1U)) return false;
    low_ = reinterpret_cast<const unsigned char*>(parts[1].data());
  }
  parts = parts.subspan(needed);
  return true;
}

bool ValueColumn::SetNumbers(Parts parts) {
  if (!SetPlanes(parts, rows_, info_.width)) return false;
  const std::uint64_t range = info_.most - info_.least;
  std::uint64_t most = 0;
  for (std::uint32_t row = 0; row < rows_; ++row) most = std::max(most, Plane(row));
  return most <= range;
}

bool ValueColumn::SetDeltas(Parts parts) {
  if (!SetPlanes(parts, rows_ - 1, info_.width)) return false;
  const std::uint64_t range = info_.most - info_.least;
  const auto least = static_cast<std::uint64_t>(UnZigZag(info_.least_delta));
  numbers_.resize(rows_);
  numbers_[0] = info_.first;
  for (std::uint32_t row = 1; row < rows_; ++row) {
    numbers_[row] = numbers_[row - 1] + least + Plane(row - 1);
    if (numbers_[row] - info_.least > range) return false;
  }
  return true;
}

/// Takes lengths, if there are several, and the texts of `count` values from the front of `parts`.
bool ValueColumn::SetTexts(Parts& parts, std::uint32_t count) {
  std::uint64_t bytes = std::uint64_t{count} * info_.least_bytes;
  if (info_.width > 0) {
    if (parts.empty() || parts[0].size() != std::size_t{count} * info_.width) return false;
    const auto* planes = reinterpret_cast<const unsigned char*>(parts[0].data());
    ends_.resize(count);
    bytes = 0;
    std::uint64_t longest = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      std::uint64_t length = 0;
      for (std::size_t plane = 0; plane < info_.width; ++plane) {
        length = length << 8 | planes[plane * count + i];
      }
      if (length < info_.least_bytes || length > info_.most_bytes) return false;
      bytes += length;
      longest = std::max(longest, length);
      if (bytes > UINT32_MAX) return false;
      ends_[i] = static_cast<std::uint32_t>(bytes);
    }
    if (longest != info_.most_bytes) return false;
    parts = parts.subspan(1);
  }
  if (bytes == 0) return true;
  if (parts.empty() || parts[0].size() != bytes) return false;
  bytes_ = parts[0].data();
  parts = parts.subspan(1);
  return true;
}

bool ValueColumn::SetDictionary(Parts parts) {
  if (!SetTexts(parts, info_.entries) || !SetPlanes(parts, rows_, info_.code_width())) return false;
  std::uint64_t most = 0;
  for (std::uint32_t row = 0; row < rows_; ++row) most = std::max(most, Plane(row));
  return parts.empty() && most < info_.entries;
}

bool ValueColumn::SetBytes(Parts parts) { return SetTexts(parts, rows_) && parts.empty(); }

char* ValueColumn::WriteNumber(std::uint64_t number, char* out) const {
  // Of one length, as of leading zeros, it is the same.
  if (info_.least_bytes == info_.most_bytes) {
    return WritePaddedDecimal(number, info_.most_bytes, out);
  }
  return WriteDecimal(number, out);
}

char* ValueColumn::Write(std::uint32_t row, char* out) const {
  std::string_view text;
  switch (info_.kind) {
    case ValueKind::kNumber:
      return WriteNumber(info_.least + Plane(row), out);
    case ValueKind::kDelta:
      return WriteNumber(numbers_[row], out);
    case ValueKind::kHex: {
      constexpr char kDigits[] = "0123456789abcdef";
      const std::size_t stride = (info_.least_bytes + 1) / 2;
      const char* from = bytes_ + row * stride;
      for (std::uint32_t i = 0; i < info_.least_bytes; ++i) {
        const auto byte = static_cast<unsigned char>(from[i / 2]);
        *out++ = kDigits[i % 2 == 0 ? byte >> 4 : byte & 15];
      }
      return out;
    }
    case ValueKind::kConstant:
      text = info_.constant;
      break;
    case ValueKind::kDictionary:
      text = Text(static_cast<std::uint32_t>(Plane(row)));
      break;
    case ValueKind::kBytes:
      text = Text(row);
      break;
  }
  return CopyText(out, text);
}

}  // namespace dunlin::store
