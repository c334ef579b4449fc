// The part of ValueColumn that searches.
#include <charconv>
#include <cstring>

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
      if (condition.kind == SlotCondition::Kind::kContains && !search.any_case()) {
        return KeepContaining(condition.text, marks);
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
  std::vector<std::uint8_t> holds(info_.entries);
  bool any = false;
  for (std::uint32_t entry = 0; entry < info_.entries; ++entry) {
    holds[entry] = search.Holds(condition, Text(entry));
    any = any || holds[entry] != 0;
  }
  if (!any) {
    std::memset(marks.data(), 0, marks.size());
    return;
  }
  for (std::uint32_t row = 0; row < rows_; ++row) marks[row] &= holds[Plane(row)];
}

/// Searches all values at once, as most columns that could hold a text do not.
void ValueColumn::KeepContaining(std::string_view part, std::vector<std::uint8_t>& marks) const {
  const std::size_t size = rows_ == 0 ? 0 : BeginOf(rows_ - 1) + Text(rows_ - 1).size();
  std::uint32_t row = 0;
  std::uint32_t unseen = 0;  // rows before it are decided
  for (std::size_t at = 0; at < size;) {
    const void* found = ::memmem(bytes_ + at, size - at, part.data(), part.size());
    if (found == nullptr) break;
    at = static_cast<std::size_t>(static_cast<const char*>(found) - bytes_);
    while (BeginOf(row) + Text(row).size() <= at) ++row;
    if (at + part.size() > BeginOf(row) + Text(row).size()) {
      ++at;  // begins in one value and ends in another
      continue;
    }
    std::memset(marks.data() + unseen, 0, row - unseen);
    unseen = row + 1;
    at = BeginOf(row) + Text(row).size();
  }
  std::memset(marks.data() + unseen, 0, rows_ - unseen);
}

}  // namespace dunlin::store
