#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

/// For probe_pattern only: from the text of an expression to a tree.
namespace dunlin::agent {

struct PatternNode {
  enum class Kind : std::uint8_t { kByte, kLineStart, kLineEnd, kSequence, kAlternatives, kRepeat };
  static constexpr unsigned kUnlimited = ~0U;

  Kind kind = Kind::kSequence;
  std::bitset<256> set{};               // kByte: those that are passed
  std::vector<PatternNode> children{};  // kRepeat: one
  unsigned least = 0;                   // kRepeat
  unsigned most = 0;
};

/// Reads an expression. Groups nest at most 64 deep, so that the tree can be walked by recursion.
/// Errors: kInvalidArgument.
Result<PatternNode> ParsePattern(std::string_view text);

}  // namespace dunlin::agent
