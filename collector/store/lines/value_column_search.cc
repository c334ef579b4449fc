// The part of ValueColumn that searches.
#include <charconv>
#include <cstring>
#include <string>

#include "collector/store/lines/literal_search.h"
#include "collector/store/lines/value_column.h"

namespace dunlin::store {
namespace {

/// The number that is written like `text`; nothing when none is.
std::optional<std::uint64_t> NumberOf(std::string_view text, const ValueColumnInfo& info) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || read != end) return {};
  const bool leading_zero = text.size() > 1 && text[0] == '0';
  if (info.zero_padded ? text.size() != info.least_bytes : leading_zero) return {};
  return number;
}

}  // namespace

void ValueColumn::Keep(const LiteralSearch& search, const SlotCondition& condition,
                       std::vector<std::uint8_t>& marks) const {
  switch (info_.kind) {
    case ValueKind::kDictionary:
      return KeepEntries(search, condition, marks);
    case ValueKind::kNumber:
    case ValueKind::kDelta:
      if (condition.kind == SlotCondition::Kind::kEquals) {
        const auto number = NumberOf(condition.text, info_);
        for (std::uint32_t row = 0; row < rows_; ++row) {
          marks[row] = marks[row] != 0 && number && NumberAt(row) == *number;
        }
        return;
      }
      break;
    case ValueKind::kBytes:
      if (condition.kind == SlotCondition::Kind::kContains) {
        return KeepContaining(search, condition.text, rows_, marks);
      }
      for (std::uint32_t row = 0; row < rows_; ++row) {
        marks[row] = marks[row] != 0 && search.Holds(condition, Text(row));
      }
      return;
    case ValueKind::kConstant:
    case ValueKind::kHex:
      break;
  }
  std::string value(info_.most_bytes, '\0');
  for (std::uint32_t row = 0; row < rows_; ++row) {
    if (marks[row] == 0) continue;
    const char* end = Write(row, value.data());
    marks[row] =
        search.Holds(condition, {value.data(), static_cast<std::size_t>(end - value.data())});
  }
}

void ValueColumn::KeepEntries(const LiteralSearch& search, const SlotCondition& condition,
                              std::vector<std::uint8_t>& marks) const {
  std::vector<std::uint8_t> holds(info_.entries, 1);
  if (condition.kind == SlotCondition::Kind::kContains) {
    KeepContaining(search, condition.text, info_.entries, holds);
  } else {
    for (std::uint32_t entry = 0; entry < info_.entries; ++entry) {
      holds[entry] = search.Holds(condition, Text(entry));
    }
  }
  if (std::memchr(holds.data(), 1, holds.size()) == nullptr) {
    std::memset(marks.data(), 0, marks.size());
    return;
  }
  for (std::uint32_t row = 0; row < rows_; ++row) marks[row] &= holds[Plane(row)];
}

/// Searches all values, or entries, at once, as most that could hold a text do not.
void ValueColumn::KeepContaining(const LiteralSearch& search, std::string_view part,
                                 std::uint32_t count, std::vector<std::uint8_t>& marks) const {
  const std::string_view texts(bytes_,
                               count == 0 ? 0 : BeginOf(count - 1) + Text(count - 1).size());
  std::uint32_t index = 0;
  std::uint32_t unseen = 0;  // those before it are decided
  for (std::size_t at = 0; at < texts.size();) {
    const char* found = search.Find(texts.substr(at), part);
    if (found == nullptr) break;
    at = static_cast<std::size_t>(found - texts.data());
    while (BeginOf(index) + Text(index).size() <= at) ++index;
    if (at + part.size() > BeginOf(index) + Text(index).size()) {
      ++at;  // begins in one value and ends in another
      continue;
    }
    std::memset(marks.data() + unseen, 0, index - unseen);
    unseen = index + 1;
    at = BeginOf(index) + Text(index).size();
  }
  std::memset(marks.data() + unseen, 0, count - unseen);
}

}  // namespace dunlin::store
