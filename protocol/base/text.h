#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dunlin {

/// Appends `value` in decimal. Formatting throughout appends: the agent links no iostreams.
template <std::integral T>
void AppendInteger(std::string& out, T value) {
  char buffer[24];
  auto [end, ec] = std::to_chars(buffer, buffer + sizeof buffer, value);
  out.append(buffer, end);
}

/// Appends the shortest decimal that reads back as `value`, never with an exponent; NaN, +Inf,
/// -Inf. Whole numbers below 2^64 in all their digits.
void AppendDouble(std::string& out, double value);

/// Appends two lower-case hexadecimal digits per byte.
void AppendHex(std::string& out, std::string_view bytes);

/// The bytes that `hex` spells, or nothing when it is not pairs of hexadecimal digits.
std::optional<std::string> ParseHex(std::string_view hex);

/// The whole of `text` as a decimal number in T's range, or nothing.
template <std::integral T>
std::optional<T> ParseInteger(std::string_view text) {
  T value{};
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

/// The pieces of `text` between separators; "a,,b" has an empty one, "" has one empty piece. Views
/// into `text`.
std::vector<std::string_view> Split(std::string_view text, char separator);

/// `text` without leading and trailing spaces and tabs.
std::string_view Trim(std::string_view text);

/// ASCII letters folded to lower case; every other byte is kept.
std::string ToLowerAscii(std::string_view text);

/// Equal when ASCII case is ignored.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

/// The length of the valid UTF-8 sequence at the start of `text` (1-4), or 0 when it does not start
/// with one. RFC 3629 section 4: no overlong forms, no surrogates, nothing above U+10FFFF.
std::size_t Utf8SequenceLength(std::string_view text);

/// Concatenates its arguments, each convertible to a string_view, or an integer written in decimal.
template <typename... Parts>
std::string Join(const Parts&... parts) {
  std::string out;
  auto append = [&out](const auto& part) {
    using Part = std::remove_cvref_t<decltype(part)>;
    if constexpr (std::integral<Part> && !std::same_as<Part, char> && !std::same_as<Part, bool>) {
      AppendInteger(out, part);
    } else if constexpr (std::same_as<Part, char>) {
      out.push_back(part);
    } else {
      out.append(std::string_view(part));
    }
  };
  (append(parts), ...);
  return out;
}

}  // namespace dunlin
