#include <algorithm>
#include <array>

#include "collector/store/lines/value_column.h"

namespace dunlin::store {
namespace {

/// More digits could overflow.
constexpr std::size_t kMostDigits = 18;
constexpr std::size_t kMostEntries = 65536;
/// Below this a dictionary's own entries cost more than it saves.
constexpr std::size_t kFewestRowsOfDictionary = 8;
constexpr std::size_t kShortestHex = 8;

std::uint8_t WidthOf(std::uint64_t most) {
  std::uint8_t width = 1;
  while (width < 8 && (most >> (8 * width)) != 0) ++width;
  return width;
}

template <typename Number>
void AppendPlanes(std::string& area, const std::vector<Number>& numbers, std::uint64_t less,
                  std::uint8_t width) {
  std::size_t at = area.size();
  area.resize(at + numbers.size() * width);
  char* out = area.data() + at;
  for (int plane = width - 1; plane >= 0; --plane) {
    for (Number number : numbers) *out++ = static_cast<char>((number - less) >> (8 * plane));
  }
}

bool AllHex(std::span<const std::string_view> values) {
  for (std::string_view value : values) {
    for (char c : value) {
      if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
    }
  }
  return true;
}

unsigned HexDigit(char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); }

void AppendHex(std::string& area, std::string_view value) {
  for (std::size_t i = 0; i < value.size(); i += 2) {
    unsigned byte = HexDigit(value[i]) << 4;
    if (i + 1 < value.size()) byte |= HexDigit(value[i + 1]);
    area.push_back(static_cast<char>(byte));
  }
}

void AppendLengths(std::string& area, std::span<const std::string_view> values,
                   std::uint8_t width) {
  for (int plane = width - 1; plane >= 0; --plane) {
    for (std::string_view value : values) {
      area.push_back(static_cast<char>(value.size() >> (8 * plane)));
    }
  }
}

void AppendInfo(std::string& directory, const ValueColumnInfo& info) {
  directory.push_back(static_cast<char>(info.kind));
  if (info.kind == ValueKind::kConstant) {
    AppendLengthPrefixed(directory, info.constant);
    return;
  }
  AppendVarint(directory, info.least_bytes);
  AppendVarint(directory, info.most_bytes - info.least_bytes);
  switch (info.kind) {
    case ValueKind::kDelta:
    case ValueKind::kNumber:
      directory.push_back(static_cast<char>(info.width | (info.zero_padded ? 0x80 : 0)));
      AppendVarint(directory, info.least);
      AppendVarint(directory, info.most - info.least);
      if (info.kind == ValueKind::kDelta) {
        AppendVarint(directory, info.first - info.least);
        AppendVarint(directory, info.least_delta);
      }
      break;
    case ValueKind::kDictionary:
      directory.push_back(static_cast<char>(info.classes));
      AppendVarint(directory, info.entries);
      AppendVarint(directory, info.area_bytes);
      break;
    case ValueKind::kBytes:
      directory.push_back(static_cast<char>(info.classes));
      AppendVarint(directory, info.area_bytes);
      break;
    case ValueKind::kHex:
    case ValueKind::kConstant:
      break;
  }
}

}  // namespace

std::uint8_t ByteClassesOf(std::string_view bytes) {
  unsigned classes = 0;
  for (char c : bytes) {
    if (c >= '0' && c <= '9') {
      classes |= kDecimalDigits;
    } else if (c >= 'a' && c <= 'z') {
      classes |= c <= 'f' ? kLowerHexLetters : kOtherLowerLetters;
    } else if (c >= 'A' && c <= 'Z') {
      classes |= kUpperLetters;
    } else {
      classes |= kOtherBytes;
    }
  }
  return static_cast<std::uint8_t>(classes);
}

/// Whether all are decimal numbers that their value and info_ give back.
bool ValueColumnWriter::ReadNumbers(std::span<const std::string_view> values) {
  if (info_.most_bytes > kMostDigits || info_.least_bytes == 0) return false;
  numbers_.clear();
  const bool one_length = info_.least_bytes == info_.most_bytes;
  bool padded = false;
  info_.least = UINT64_MAX;
  info_.most = 0;
  for (std::string_view value : values) {
    std::uint64_t number = 0;
    for (char c : value) {
      const auto digit = static_cast<unsigned>(static_cast<unsigned char>(c) - '0');
      if (digit > 9) return false;
      number = number * 10 + digit;
    }
    if (value.size() > 1 && value[0] == '0') {
      if (!one_length) return false;
      padded = true;
    }
    info_.least = std::min(info_.least, number);
    info_.most = std::max(info_.most, number);
    numbers_.push_back(number);
  }
  info_.zero_padded = padded;
  return true;
}

/// Whether there are few enough distinct values that entries and codes take less than `below`.
bool ValueColumnWriter::ReadDictionary(std::span<const std::string_view> values,
                                       std::size_t below) {
  if (values.size() < kFewestRowsOfDictionary) return false;
  index_.clear();
  distinct_.clear();
  codes_.clear();
  const bool one_length = info_.least_bytes == info_.most_bytes;
  const std::size_t most = std::min(values.size() / 2, kMostEntries);
  std::size_t bytes = values.size();
  for (std::string_view value : values) {
    auto [at, added] = index_.try_emplace(value, static_cast<std::uint32_t>(distinct_.size()));
    if (added) {
      distinct_.push_back(value);
      bytes += value.size() + (one_length ? 0 : 1);
      if (distinct_.size() == 257) bytes += values.size();
      if (distinct_.size() > most || bytes >= below) return false;
    }
    codes_.push_back(at->second);
  }
  return true;
}

/// Sets info_ to what takes the fewest bytes, which it returns; dictionaries apart.
std::size_t ValueColumnWriter::ChooseKind(std::span<const std::string_view> values,
                                          std::size_t text_bytes) {
  const std::size_t rows = values.size();
  const bool one_length = info_.least_bytes == info_.most_bytes;
  info_.kind = ValueKind::kBytes;
  info_.width = one_length ? 0 : WidthOf(info_.most_bytes);
  const std::size_t as_bytes = text_bytes + rows * info_.width;
  if (!ReadNumbers(values)) {
    if (!one_length || info_.most_bytes < kShortestHex || !AllHex(values)) return as_bytes;
    info_.kind = ValueKind::kHex;
    return rows * ((info_.most_bytes + 1) / 2);
  }
  const std::uint8_t width = WidthOf(info_.most - info_.least);
  const std::uint8_t delta_width = ReadDeltas();
  const std::uint8_t least_width = std::min(width, delta_width);
  if (rows * least_width >= as_bytes) return as_bytes;
  info_.kind = delta_width < width ? ValueKind::kDelta : ValueKind::kNumber;
  info_.width = least_width;
  return rows * least_width;
}

/// The width of differences between neighbours: of counters and clocks less than that of numbers.
std::uint8_t ValueColumnWriter::ReadDeltas() {
  // Above all negative ones, so that they compare as unsigned.
  constexpr std::uint64_t kMiddle = std::uint64_t{1} << 63;
  deltas_.clear();
  std::uint64_t least = UINT64_MAX;
  std::uint64_t most = 0;
  for (std::size_t i = 1; i < numbers_.size(); ++i) {
    deltas_.push_back(numbers_[i] - numbers_[i - 1] + kMiddle);
    least = std::min(least, deltas_.back());
    most = std::max(most, deltas_.back());
  }
  for (std::uint64_t& delta : deltas_) delta -= least;
  info_.first = numbers_[0];
  info_.least_delta = ZigZag(static_cast<std::int64_t>(least - kMiddle));
  return WidthOf(most - least);
}

void ValueColumnWriter::AppendDictionary(std::string& area) {
  info_.kind = ValueKind::kDictionary;
  info_.entries = static_cast<std::uint32_t>(distinct_.size());
  AppendTexts(distinct_, area);
  AppendPlanes(area, codes_, 0, WidthOf(distinct_.size() - 1));
}

/// Lengths, if there are several, and texts.
void ValueColumnWriter::AppendTexts(std::span<const std::string_view> texts, std::string& area) {
  unsigned classes = 0;
  if (info_.least_bytes != info_.most_bytes) AppendLengths(area, texts, WidthOf(info_.most_bytes));
  for (std::string_view text : texts) {
    classes |= ByteClassesOf(text);
    area.append(text);
  }
  info_.classes = static_cast<std::uint8_t>(classes);
}

void ValueColumnWriter::Append(std::span<const std::string_view> values, std::string& directory,
                               std::string& area) {
  info_ = {};
  std::size_t least = values[0].size();
  std::size_t most = least;
  std::size_t text_bytes = 0;
  bool same = true;
  for (std::string_view value : values) {
    least = std::min(least, value.size());
    most = std::max(most, value.size());
    text_bytes += value.size();
    same = same && value == values[0];
  }
  if (same) {
    info_.constant = values[0];
    AppendInfo(directory, info_);
    return;
  }
  info_.least_bytes = static_cast<std::uint32_t>(least);
  info_.most_bytes = static_cast<std::uint32_t>(most);
  const std::size_t best = ChooseKind(values, text_bytes);
  const std::size_t begin = area.size();
  // Steps of a clock compress to next to nothing, and nothing is smaller than a byte.
  const bool settled =
      info_.kind == ValueKind::kDelta || (info_.kind == ValueKind::kNumber && info_.width == 1);
  if (!settled && ReadDictionary(values, best)) {
    AppendDictionary(area);
  } else if (info_.kind == ValueKind::kNumber) {
    AppendPlanes(area, numbers_, info_.least, info_.width);
  } else if (info_.kind == ValueKind::kDelta) {
    AppendPlanes(area, deltas_, 0, info_.width);
  } else if (info_.kind == ValueKind::kHex) {
    for (std::string_view value : values) AppendHex(area, value);
  } else {
    AppendTexts(values, area);
  }
  info_.area_bytes = area.size() - begin;
  AppendInfo(directory, info_);
}

}  // namespace dunlin::store
