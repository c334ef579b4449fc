#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace dunlin::store {

/// A template of one block and how many lines have it.
struct TemplateUse {
  std::string_view text;
  std::uint32_t value_slots = 0;
  std::uint32_t rows = 0;
};

/// The beginning that templates share: up to and with a value slot.
struct SharedPrefix {
  std::string_view text;
  std::uint32_t slots = 0;
};

struct SharedPrefixes {
  std::vector<SharedPrefix> prefixes;
  std::vector<std::uint32_t> of_template;  // number + 1, or 0: none
};

/// Finds what log formats put in front of every line: time, process, address. Whatever the line
/// goes on with, those values then lie in one column, where neighbours resemble each other. From
/// the first slot on, a prefix grows as long as nearly all of its lines go on alike.
SharedPrefixes FindSharedPrefixes(std::span<const TemplateUse> templates);

}  // namespace dunlin::store
