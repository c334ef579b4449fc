#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dunlin::store {

/// In a template: here a value stands.
inline constexpr char kValueSlot = '\0';
/// In a template, at its end: the rest of the line, whatever it holds.
inline constexpr char kTextSlot = '\1';

/// Lines are cut this far; what follows goes into a text slot.
inline constexpr std::size_t kMaxCutBytes = 32768;
inline constexpr std::size_t kMaxValues = 1024;

/// A part of a text.
struct TextRange {
  std::uint32_t offset = 0;
  std::uint32_t bytes = 0;
};

/// Cuts lines into a template, which many lines share, and the values that differ.
///
/// A word is a longest run of ASCII letters and digits. One without a digit is fixed text, as is
/// everything between words. A word of lower-case hex digits alone (four at least, or after "0x"),
/// and one in which digits begin three times or more, is one value: an id. In any other, each run
/// of digits is a value and the letters are fixed text. Template and values give the line back
/// byte for byte. One thread.
class LineCutter {
 public:
  /// The template of `text`[`line`]; valid until the next call. Appends the values, as parts of
  /// `text`, to `values`: as many as the template has slots.
  std::string_view Cut(std::string_view text, TextRange line, std::vector<TextRange>& values);

 private:
  std::string template_;
};

}  // namespace dunlin::store
