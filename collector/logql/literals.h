#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

/// The spelling of literals, in queries and in the label values that queries compare with them.
namespace dunlin::logql {

/// "1h30m", "1d": integers with units ms s m h d w y in descending order, or "0". Nothing when the
/// text is not of this form or too long for 64 bits of nanoseconds.
std::optional<std::chrono::nanoseconds> ReadPrometheusDuration(std::string_view text);

/// "1.5h", "-300ms", "1h15m30.9s", "10us": decimals with units ns us ms s m h in any order, a sign,
/// or "0".
std::optional<std::chrono::nanoseconds> ReadGoDuration(std::string_view text);

/// "5KB", "1.5 MiB", "2k", "300": a number and a unit of bytes, powers of 1000 or with an "i" of
/// 1024, in any case.
std::optional<double> ReadByteSize(std::string_view text);

/// A decimal or hexadecimal number, as a double.
std::optional<double> ReadNumber(std::string_view text);

/// The contents of a string literal between its double quotes, Go's escapes replaced; nothing when
/// an escape is malformed.
std::optional<std::string> Unescape(std::string_view text);

/// A double-quoted string literal of `value`, readable where it is text, as \xHH where it is not.
std::string Quote(std::string_view value);

/// The shortest literal that reads back as the value.
void AppendNumberLiteral(std::string& out, double value);
void AppendDurationLiteral(std::string& out, std::chrono::nanoseconds value);

}  // namespace dunlin::logql
