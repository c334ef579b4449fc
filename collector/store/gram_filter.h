#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace dunlin::store {

/// Filters of n-grams tell, without a look at a block's columns, that a literal is in none of its
/// lines. docs/segment-format.md, "Filters of grams", has the bytes and why they are so.
///
/// A *word* is a longest run of ASCII letters, digits, and points between two digits. A *gram* is
/// kGramBytes neighbouring bytes of a word, with letters in lower case. A line that holds a literal
/// has all of the literal's grams, whatever surrounds it in the line and in whatever case.
inline constexpr std::size_t kGramBytes = 6;

/// A filter of grams takes at most one in so many of the bytes that its block has without it: what
/// hardly compresses has more grams, too.
inline constexpr std::size_t kGramFilterPart = 32;

/// The grams of a text, which a filter is made of. Takes half a MiB. One thread.
class GramCollector {
 public:
  GramCollector();

  /// Adds the grams of whole lines.
  void Add(std::string_view text);
  /// A filter of what was added, of at most `most_bytes`, which are at least two. The fewer, the
  /// less it tells.
  std::string Encode(std::size_t most_bytes) const;
  void Clear();

 private:
  std::vector<std::uint64_t> bits_;  // of the hashes of grams
};

/// The grams of a literal that is looked for, in many filters. Immutable; any thread.
class LiteralGrams {
 public:
  explicit LiteralGrams(std::string_view literal);

  /// Without any, no filter tells anything.
  bool empty() const { return hashes_.empty(); }
  std::span<const std::uint32_t> hashes() const { return hashes_; }

 private:
  std::vector<std::uint32_t> hashes_;
};

/// Reads what GramCollector::Encode wrote. Any thread.
class GramFilter {
 public:
  /// The bytes outlive the filter. It relies on their checksum: others are refused, or are the
  /// filter of another text, and it never reads beyond them. Errors: kCorruption.
  static Result<GramFilter> Open(std::string_view bytes);

  /// False only when no line holds the literal, in whatever case its ASCII letters are.
  bool MayContain(const LiteralGrams& literal) const;

 private:
  GramFilter(std::uint32_t skip_mask, std::string_view bits) : skip_mask_(skip_mask), bits_(bits) {}

  std::uint32_t skip_mask_;  // only grams whose hashes have none of these bits are in the filter
  std::string_view bits_;
};

}  // namespace dunlin::store
