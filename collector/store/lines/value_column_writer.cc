#include "collector/store/lines/value_column_writer.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "collector/store/lines/value_number.h"
#include "protocol/base/checksum.h"

namespace dunlin::store {
namespace {

/// Below this a dictionary's own entries cost more than it saves.
constexpr std::size_t kFewestRowsOfDictionary = 8;
constexpr std::size_t kShortestHex = 8;

std::uint8_t WidthOf(std::uint64_t most) {
  std::uint8_t width = 1;
  while (width < 8 && (most >> (8 * width)) != 0) ++width;
  return width;
}

/// The least number of so many digits that is written without a zero in front.
constexpr std::array<std::uint64_t, kMostDecimalDigits + 1> MakeLeastOfDigits() {
  std::array<std::uint64_t, kMostDecimalDigits + 1> least{};
  std::uint64_t power = 10;
  for (std::size_t digits = 2; digits < least.size(); ++digits, power *= 10) least[digits] = power;
  return least;
}
constexpr auto kLeastOfDigits = MakeLeastOfDigits();

char* Extend(std::string& area, std::size_t bytes) {
  const std::size_t at = area.size();
  area.resize(at + bytes);
  return area.data() + at;
}

template <typename Number>
void AppendPlanes(std::string& area, std::span<const Number> numbers, Number less,
                  std::uint8_t width) {
  char* out = Extend(area, numbers.size() * width);
  for (int plane = width - 1; plane >= 0; --plane) {
    const int shift = 8 * plane;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      out[i] = static_cast<char>((numbers[i] - less) >> shift);
    }
    out += numbers.size();
  }
}

void AppendLengths(std::string& area, std::span<const CutValue> values, std::uint8_t width) {
  char* out = Extend(area, values.size() * width);
  for (int plane = width - 1; plane >= 0; --plane) {
    for (const CutValue& value : values) *out++ = static_cast<char>(value.bytes() >> (8 * plane));
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

/// Sets the lengths of info_.
ValueColumnWriter::Survey ValueColumnWriter::Look(std::string_view text,
                                                  std::span<const CutValue> values) {
  const CutValue first = values[0];
  std::uint32_t least = UINT32_MAX;
  std::uint32_t most = 0;
  std::uint32_t forms = 0;
  std::uint64_t differences = 0;
  Survey survey;
  for (const CutValue& value : values) {
    const std::uint32_t bytes = value.bytes();
    least = std::min(least, bytes);
    most = std::max(most, bytes);
    forms = std::max(forms, value.form_and_bytes);
    differences |= (value.number ^ first.number) | (value.form_and_bytes ^ first.form_and_bytes);
    survey.text_bytes += bytes;
  }
  info_.least_bytes = least;
  info_.most_bytes = most;
  survey.most_form = static_cast<ValueForm>(forms >> CutValue::kFormShift);
  survey.same = least == most && differences == 0;
  if (survey.same && survey.most_form == ValueForm::kText) {
    survey.same = std::all_of(values.begin(), values.end(), [&](const CutValue& value) {
      return value.In(text) == first.In(text);
    });
  }
  return survey;
}

/// Whether their value and info_ give decimal numbers back.
bool ValueColumnWriter::ReadNumbers(std::span<const CutValue> values) {
  numbers_.resize(values.size());
  std::uint64_t least = UINT64_MAX;
  std::uint64_t most = 0;
  bool padded = false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t number = values[i].number;
    numbers_[i] = number;
    least = std::min(least, number);
    most = std::max(most, number);
    padded |= number < kLeastOfDigits[values[i].form_and_bytes];
  }
  if (padded && info_.least_bytes != info_.most_bytes) return false;
  info_.least = least;
  info_.most = most;
  info_.zero_padded = padded;
  return true;
}

/// The width of differences between neighbours: of counters and clocks less than that of numbers.
std::uint8_t ValueColumnWriter::ReadDeltas() {
  deltas_.resize(numbers_.size() - 1);
  std::int64_t least = INT64_MAX;
  std::int64_t most = INT64_MIN;
  for (std::size_t i = 0; i < deltas_.size(); ++i) {
    const std::uint64_t delta = numbers_[i + 1] - numbers_[i];
    deltas_[i] = delta;
    least = std::min(least, static_cast<std::int64_t>(delta));
    most = std::max(most, static_cast<std::int64_t>(delta));
  }
  info_.first = numbers_[0];
  info_.least_delta = ZigZag(least);
  return WidthOf(static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least));
}

/// Whether all are hexadecimal digits of one length.
bool ValueColumnWriter::ReadHex(std::string_view text, std::span<const CutValue> values) {
  if (info_.least_bytes != info_.most_bytes || info_.most_bytes < kShortestHex) return false;
  return std::all_of(values.begin(), values.end(), [&](const CutValue& value) {
    return value.form() != ValueForm::kText ||
           (ByteClassesOf(value.In(text)) & ~unsigned{kDecimalDigits | kLowerHexLetters}) == 0;
  });
}

/// Sets info_ to what takes the fewest bytes, which it returns; dictionaries apart.
std::size_t ValueColumnWriter::ChooseKind(std::string_view text, std::span<const CutValue> values,
                                          const Survey& survey) {
  const std::size_t rows = values.size();
  info_.kind = ValueKind::kBytes;
  info_.width = info_.least_bytes == info_.most_bytes ? 0 : WidthOf(info_.most_bytes);
  const std::size_t as_bytes = survey.text_bytes + rows * info_.width;
  if (survey.most_form != ValueForm::kDecimal || !ReadNumbers(values)) {
    if (!ReadHex(text, values)) return as_bytes;
    info_.kind = ValueKind::kHex;
    return rows * ((info_.most_bytes + 1) / 2);
  }
  const std::uint8_t width = WidthOf(info_.most - info_.least);
  const std::uint8_t delta_width = width == 1 ? width : ReadDeltas();
  const std::uint8_t least_width = std::min(width, delta_width);
  if (rows * least_width >= as_bytes) return as_bytes;
  info_.kind = delta_width < width ? ValueKind::kDelta : ValueKind::kNumber;
  info_.width = least_width;
  return rows * least_width;
}

/// Makes numbers_ what tells values apart.
void ValueColumnWriter::HashTexts(std::string_view text, std::span<const CutValue> values) {
  numbers_.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    numbers_[i] =
        values[i].form() == ValueForm::kText ? Checksum(values[i].In(text)) : values[i].number;
  }
}

void ValueColumnWriter::AppendHex(std::string_view text, std::span<const CutValue> values,
                                  std::string& area) const {
  const std::uint32_t digits = info_.most_bytes;
  const std::size_t stride = (digits + 1) / 2;
  // Room for writing eight bytes at a time.
  const std::size_t begin = area.size();
  char* out = Extend(area, values.size() * stride + 8);
  for (const CutValue& value : values) {
    const char* at = text.data() + value.offset;
    for (std::uint32_t done = 0; done < digits; done += kMostHexDigits) {
      const std::uint32_t count = std::min(digits - done, kMostHexDigits);
      std::uint64_t number = 0;
      if (value.form() == ValueForm::kHex) {
        number = value.number;
      } else {
        for (std::uint32_t i = 0; i < count; ++i) number = number << 4 | HexDigit(at[done + i]);
      }
      number <<= 4 * (kMostHexDigits - count);
      for (std::size_t i = 0; i < 8; ++i)
        out[done / 2 + i] = static_cast<char>(number >> (56 - 8 * i));
    }
    out += stride;
  }
  area.resize(begin + values.size() * stride);
}

/// Lengths, if there are several, and texts.
void ValueColumnWriter::AppendTexts(std::string_view text, std::span<const CutValue> texts,
                                    std::string& area) {
  if (info_.least_bytes != info_.most_bytes) AppendLengths(area, texts, WidthOf(info_.most_bytes));
  std::size_t bytes = 0;
  for (const CutValue& value : texts) bytes += value.bytes();
  char* const begin = Extend(area, bytes);
  char* out = begin;
  for (const CutValue& value : texts) {
    std::memcpy(out, text.data() + value.offset, value.bytes());
    out += value.bytes();
  }
  info_.classes = ByteClassesOf({begin, bytes});
}

const ValueColumnInfo& ValueColumnWriter::Append(std::string_view text,
                                                 std::span<const CutValue> values,
                                                 std::string& directory, ValueStreams& streams) {
  info_ = {};
  const Survey survey = Look(text, values);
  if (survey.same) {
    info_.constant = values[0].In(text);
    info_.least_bytes = info_.most_bytes = static_cast<std::uint32_t>(info_.constant.size());
    info_.classes = ByteClassesOf(info_.constant);
    AppendInfo(directory, info_);
    return info_;
  }
  const std::size_t best = ChooseKind(text, values, survey);
  area_.clear();
  // Steps of a clock compress to next to nothing, and nothing is smaller than a byte.
  const bool settled =
      info_.kind == ValueKind::kDelta || (info_.kind == ValueKind::kNumber && info_.width == 1);
  const bool one_length = info_.least_bytes == info_.most_bytes;
  bool dictionary = !settled && values.size() >= kFewestRowsOfDictionary;
  if (dictionary) {
    if (info_.kind != ValueKind::kNumber) HashTexts(text, values);
    dictionary = distinct_.Find(text, values, numbers_, one_length, best);
  }
  if (dictionary) {
    info_.kind = ValueKind::kDictionary;
    info_.width = one_length ? 0 : WidthOf(info_.most_bytes);
    info_.entries = static_cast<std::uint32_t>(distinct_.entries().size());
    AppendTexts(text, distinct_.entries(), area_);
    AppendPlanes<std::uint16_t>(area_, distinct_.codes(), 0, info_.code_width());
  } else if (info_.kind == ValueKind::kNumber) {
    info_.classes = kDecimalDigits;
    AppendPlanes<std::uint64_t>(area_, numbers_, info_.least, info_.width);
  } else if (info_.kind == ValueKind::kDelta) {
    info_.classes = kDecimalDigits;
    AppendPlanes<std::uint64_t>(
        area_, deltas_, static_cast<std::uint64_t>(UnZigZag(info_.least_delta)), info_.width);
  } else if (info_.kind == ValueKind::kHex) {
    info_.classes = kDecimalDigits | kLowerHexLetters;
    AppendHex(text, values, area_);
  } else {
    AppendTexts(text, values, area_);
  }
  info_.area_bytes = area_.size();
  AppendInfo(directory, info_);
  streams.Add(info_, static_cast<std::uint32_t>(values.size()), area_);
  return info_;
}

}  // namespace dunlin::store
