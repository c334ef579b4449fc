#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dunlin::agent {

/// The text of a file of /proc or /sys, at most `limit` bytes of it; nothing when it cannot be
/// opened or read, for whatever reason. Never waits, whatever lies under that name.
std::optional<std::string> ReadSystemFile(const std::string& path, std::size_t limit = 65536);

/// The number that `text` is, surrounding blanks and the newline aside.
std::optional<std::uint64_t> NumberIn(std::string_view text);

/// The number behind `key` in lines of "KEY NUMBER"; nothing when there is no such line.
std::optional<std::uint64_t> NumberOf(std::string_view key, std::string_view text);

/// Takes the first line off `text`, without its newline.
std::string_view TakeLine(std::string_view& text);

/// Takes the first word, words being separated by blanks, off `line`; empty when none is left.
std::string_view TakeWord(std::string_view& line);

}  // namespace dunlin::agent
