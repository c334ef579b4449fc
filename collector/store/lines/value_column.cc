#include "collector/store/lines/value_column.h"

#include <algorithm>
#include <charconv>
#include <cstring>

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

std::uint64_t LoadPlanes(const unsigned char* planes, std::size_t count, std::size_t stride,
                         std::size_t at) {
  std::uint64_t number = 0;
  for (std::size_t plane = 0; plane < count; ++plane) {
    number = number << 8 | planes[plane * stride + at];
  }
  return number;
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

std::optional<ValueColumn> ValueColumn::Make(const ValueColumnInfo& info, std::string_view area,
                                             std::uint32_t rows) {
  if (area.size() != info.area_bytes) return {};
  ValueColumn column;
  column.info_ = info;
  column.rows_ = rows;
  bool good = true;
  switch (info.kind) {
    case ValueKind::kConstant:
      break;
    case ValueKind::kNumber:
      good = column.SetNumbers(area);
      break;
    case ValueKind::kDelta:
      good = column.SetDeltas(area);
      break;
    case ValueKind::kDictionary:
      good = column.SetDictionary(area);
      break;
    case ValueKind::kHex:
      column.bytes_ = area.data();
      break;
    case ValueKind::kBytes:
      good = column.SetBytes(area);
      break;
  }
  if (!good) return {};
  return column;
}

bool ValueColumn::SetNumbers(std::string_view area) {
  planes_ = reinterpret_cast<const unsigned char*>(area.data());
  plane_count_ = info_.width;
  const std::uint64_t range = info_.most - info_.least;
  std::uint64_t most = 0;
  for (std::uint32_t row = 0; row < rows_; ++row) most = std::max(most, Plane(row));
  return most <= range;
}

bool ValueColumn::SetDeltas(std::string_view area) {
  const auto* planes = reinterpret_cast<const unsigned char*>(area.data());
  const std::uint64_t range = info_.most - info_.least;
  const auto least = static_cast<std::uint64_t>(UnZigZag(info_.least_delta));
  numbers_.resize(rows_);
  numbers_[0] = info_.first;
  for (std::uint32_t row = 1; row < rows_; ++row) {
    numbers_[row] = numbers_[row - 1] + least + LoadPlanes(planes, info_.width, rows_ - 1, row - 1);
    if (numbers_[row] - info_.least > range) return false;
  }
  return true;
}

/// Lengths, if there are several, and the texts of `count` values at the front of `area`. The bytes
/// they take, or nothing.
std::optional<std::size_t> ValueColumn::SetTexts(std::string_view area, std::uint32_t count) {
  std::uint64_t bytes = std::uint64_t{count} * info_.least_bytes;
  std::size_t begin = 0;
  if (info_.width > 0) {
    begin = std::size_t{count} * info_.width;
    if (area.size() < begin) return {};
    const auto* planes = reinterpret_cast<const unsigned char*>(area.data());
    ends_.resize(count);
    bytes = 0;
    std::uint64_t longest = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint64_t length = LoadPlanes(planes, info_.width, count, i);
      if (length < info_.least_bytes || length > info_.most_bytes) return {};
      bytes += length;
      longest = std::max(longest, length);
      if (bytes > UINT32_MAX) return {};
      ends_[i] = static_cast<std::uint32_t>(bytes);
    }
    if (longest != info_.most_bytes) return {};
  }
  if (area.size() - begin < bytes) return {};
  bytes_ = area.data() + begin;
  return begin + bytes;
}

bool ValueColumn::SetDictionary(std::string_view area) {
  const auto used = SetTexts(area, info_.entries);
  if (!used) return false;
  plane_count_ = WidthOf(info_.entries - 1);
  if (area.size() - *used != std::size_t{rows_} * plane_count_) return false;
  planes_ = reinterpret_cast<const unsigned char*>(area.data() + *used);
  std::uint64_t most = 0;
  for (std::uint32_t row = 0; row < rows_; ++row) most = std::max(most, Plane(row));
  return most < info_.entries;
}

bool ValueColumn::SetBytes(std::string_view area) {
  const auto used = SetTexts(area, rows_);
  return used && *used == area.size();
}

std::uint64_t ValueColumn::Plane(std::uint32_t row) const {
  if (plane_count_ == 1) return planes_[row];
  if (plane_count_ == 2) return std::uint64_t{planes_[row]} << 8 | planes_[rows_ + row];
  return LoadPlanes(planes_, plane_count_, rows_, row);
}

char* ValueColumn::WriteNumber(std::uint64_t number, char* out) const {
  if (!info_.zero_padded) return std::to_chars(out, out + info_.most_bytes, number).ptr;
  char* const end = out + info_.least_bytes;
  for (char* at = end; at > out; number /= 10) *--at = static_cast<char>('0' + number % 10);
  return end;
}

std::string_view ValueColumn::Text(std::uint32_t index) const {
  if (ends_.empty()) return {bytes_ + std::size_t{index} * info_.least_bytes, info_.least_bytes};
  const std::uint32_t begin = index == 0 ? 0 : ends_[index - 1];
  return {bytes_ + begin, ends_[index] - begin};
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
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

}  // namespace dunlin::store
