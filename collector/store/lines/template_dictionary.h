#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace dunlin::store {

/// Templates by number, in order of their coming. One thread.
class TemplateDictionary {
 public:
  /// The number of a template, new or known.
  std::uint32_t Add(std::string_view text);
  std::size_t size() const { return texts_.size(); }
  std::string_view operator[](std::uint32_t number) const { return texts_[number]; }

  /// As a section of a segment: varint count, then each with its length before it.
  std::string Encode() const;
  /// Nothing when the bytes are malformed.
  static std::optional<std::vector<std::string>> Decode(std::string_view bytes);

 private:
  std::deque<std::string> texts_;
  std::unordered_map<std::string_view, std::uint32_t> index_;  // views into texts_
};

/// How many slots a template has. Nothing when a text slot is not its end.
std::optional<std::uint32_t> SlotsOf(std::string_view text);

}  // namespace dunlin::store
