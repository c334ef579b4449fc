#include "collector/store/lines/distinct_values.h"

#include <algorithm>
#include <cstring>

namespace dunlin::store {
namespace {

constexpr std::size_t kMostEntries = 65536;
constexpr std::size_t kFirstTableSize = 512;

std::uint64_t HashOf(std::uint64_t number, std::uint32_t form_and_bytes) {
  const std::uint64_t mixed = (number ^ std::uint64_t{form_and_bytes} << 40) * 0x9E3779B97F4A7C15;
  return mixed ^ mixed >> 32;
}

bool SameText(std::string_view text, const CutValue& a, const CutValue& b) {
  return std::memcmp(text.data() + a.offset, text.data() + b.offset, a.bytes()) == 0;
}

}  // namespace

bool DistinctValues::Find(std::string_view text, std::span<const CutValue> values,
                          std::span<const std::uint64_t> numbers, bool one_length,
                          std::size_t below) {
  table_.assign(kFirstTableSize, {});
  entries_.clear();
  entry_numbers_.clear();
  codes_.resize(values.size());
  const std::size_t most = std::min(values.size() / 2, kMostEntries);
  std::size_t bytes = values.size();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const CutValue& value = values[i];
    const std::uint64_t hash = HashOf(numbers[i], value.form_and_bytes);
    for (std::size_t at = hash;; ++at) {
      at &= table_.size() - 1;
      Entry& entry = table_[at];
      if (entry.code == 0) {
        bytes += value.bytes() + (one_length ? 0 : 1);
        if (entries_.size() == 256) bytes += values.size();
        if (entries_.size() == most || bytes >= below) return false;
        codes_[i] = static_cast<std::uint16_t>(entries_.size());
        entries_.push_back(value);
        entry_numbers_.push_back(numbers[i]);
        entry = {hash, static_cast<std::uint32_t>(entries_.size())};
        if (entries_.size() * 2 > table_.size()) Grow();
        break;
      }
      const std::uint32_t code = entry.code - 1;
      if (entry.hash == hash && entry_numbers_[code] == numbers[i] &&
          entries_[code].form_and_bytes == value.form_and_bytes &&
          (value.form() != ValueForm::kText || SameText(text, entries_[code], value))) {
        codes_[i] = static_cast<std::uint16_t>(code);
        break;
      }
    }
  }
  return true;
}

void DistinctValues::Grow() {
  std::vector<Entry> larger(table_.size() * 4);
  for (const Entry& entry : table_) {
    if (entry.code == 0) continue;
    std::size_t at = entry.hash & (larger.size() - 1);
    while (larger[at].code != 0) at = (at + 1) & (larger.size() - 1);
    larger[at] = entry;
  }
  table_ = std::move(larger);
}

}  // namespace dunlin::store
