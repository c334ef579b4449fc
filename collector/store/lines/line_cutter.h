#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

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

/// What a value is made of, as far as that makes it a number.
enum class ValueForm : std::uint32_t {
  kDecimal = 0,  // at most 18 digits
  kHex = 1,      // at most 16 of 0-9a-f, not decimal
  kText = 2,
};

/// A value: where it is in the text, and the number that it is.
struct CutValue {
  static constexpr std::uint32_t kFormShift = 30;

  CutValue() = default;  // anything, as there are many
  CutValue(TextRange range, ValueForm form, std::uint64_t value)
      : number(value),
        offset(range.offset),
        form_and_bytes(static_cast<std::uint32_t>(form) << kFormShift | range.bytes) {}

  ValueForm form() const { return static_cast<ValueForm>(form_and_bytes >> kFormShift); }
  std::uint32_t bytes() const { return form_and_bytes & ((1U << kFormShift) - 1); }
  std::string_view In(std::string_view text) const { return {text.data() + offset, bytes()}; }

  std::uint64_t number;  // kText: nothing in particular
  std::uint32_t offset;
  std::uint32_t form_and_bytes;
};

/// A line cut into fixed text and values.
struct LineCut {
  std::uint64_t hash = 0;  // of the template
  std::uint32_t values = 0;
  bool has_rest = false;  // the last value is the rest of the line, in a text slot
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
  /// Cuts `text`[`line`] and writes its values to `values`, which has room for kMaxValues. With
  /// `most_values` below that, the rest of the line begins behind so many values.
  LineCut Cut(std::string_view text, TextRange line, CutValue* values,
              std::size_t most_values = kMaxValues);

 private:
  /// One bit for each byte of a line, and at least 64 behind its end that are not set.
  using Bits = std::array<std::uint64_t, kMaxCutBytes / 64 + 2>;
  struct Run;

  std::size_t Classify(const char* line, std::size_t bytes);

  Bits digits_;
  Bits hex_letters_;
  Bits words_;
  std::string padded_;
};

/// Appends the template of a line that was cut. It has a byte for each slot.
void AppendTemplate(std::string_view text, TextRange line, const LineCut& cut,
                    std::span<const CutValue> values, std::string& out);

/// Whether that is the template. kTemplatePadding bytes behind its end can be read.
inline constexpr std::size_t kTemplatePadding = 8;
bool HasTemplate(std::string_view text, TextRange line, const LineCut& cut,
                 std::span<const CutValue> values, std::string_view known);

}  // namespace dunlin::store
