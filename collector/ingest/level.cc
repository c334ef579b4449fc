#include "collector/ingest/level.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>

namespace dunlin::ingest {
namespace {

/// What a byte is to the scanner.
enum class ByteClass : std::uint8_t { kOther, kLetter, kDigit };

constexpr std::array<ByteClass, 256> kByteClass = [] {
  std::array<ByteClass, 256> table{};
  for (unsigned c = 'a'; c <= 'z'; ++c) table[c] = ByteClass::kLetter;
  for (unsigned c = 'A'; c <= 'Z'; ++c) table[c] = ByteClass::kLetter;
  for (unsigned c = '0'; c <= '9'; ++c) table[c] = ByteClass::kDigit;
  return table;
}();

ByteClass ClassOf(char c) { return kByteClass[static_cast<unsigned char>(c)]; }

// Words of at most eight letters compare as one folded integer.
constexpr std::size_t kMaxWord = 8;

constexpr std::uint64_t Packed(std::string_view word) {
  std::uint64_t packed = 0;
  for (char c : word) packed = packed << 8 | static_cast<unsigned char>(c | 0x20);
  return packed;
}

std::optional<Level> WordLevel(std::string_view word) {
  if (word.size() < 3) return std::nullopt;
  if (word.size() > kMaxWord) {
    // The longer words that mean a level: emergency, information, informational.
    if (word.size() == 9 && Packed(word.substr(0, 8)) == Packed("emergenc")) return Level::kFatal;
    if ((word.size() == 11 || word.size() == 13) && Packed(word.substr(0, 8)) == Packed("informat"))
      return Level::kInfo;
    return std::nullopt;
  }
  switch (Packed(word)) {
    case Packed("trace"):
    case Packed("trc"):
      return Level::kTrace;
    case Packed("debug"):
    case Packed("dbug"):
    case Packed("dbg"):
      return Level::kDebug;
    case Packed("info"):
    case Packed("inf"):
    case Packed("notice"):
      return Level::kInfo;
    case Packed("warn"):
    case Packed("warning"):
    case Packed("wrn"):
      return Level::kWarn;
    case Packed("error"):
    case Packed("err"):
    case Packed("eror"):
    case Packed("severe"):
      return Level::kError;
    case Packed("critical"):
    case Packed("crit"):
    case Packed("alert"):
      return Level::kCritical;
    case Packed("fatal"):
    case Packed("panic"):
    case Packed("emerg"):
      return Level::kFatal;
    default:
      return std::nullopt;
  }
}

bool IsLevelKey(std::string_view word) {
  if (word.size() < 3 || word.size() > kMaxWord) return false;
  switch (Packed(word)) {
    case Packed("level"):
    case Packed("lvl"):
    case Packed("severity"):
    case Packed("loglevel"):
      return true;
    default:
      return false;
  }
}

std::optional<Level> NumberLevel(std::string_view digits) {
  if (digits.size() != 2 || digits[1] != '0' || digits[0] < '1' || digits[0] > '6') {
    return std::nullopt;
  }
  constexpr std::array<Level, 6> kLevelOf{Level::kTrace, Level::kDebug, Level::kInfo,
                                          Level::kWarn,  Level::kError, Level::kFatal};
  return kLevelOf[static_cast<std::size_t>(digits[0] - '1')];
}

/// The run of bytes of one class at `begin`.
std::string_view RunAt(std::string_view text, std::size_t begin, ByteClass wanted) {
  std::size_t end = begin;
  while (end < text.size() && ClassOf(text[end]) == wanted) ++end;
  return text.substr(begin, end - begin);
}

/// The level given as value of a key that ends at `position`: `":"info"`, `=info`, `: info`.
std::optional<Level> LevelAfterKey(std::string_view text, std::size_t position) {
  bool separated = false;
  while (position < text.size()) {
    char c = text[position];
    if (c == '=' || c == ':') {
      separated = true;
    } else if (c != '"' && c != '\'' && c != ' ' && c != '[') {
      break;
    }
    ++position;
  }
  if (!separated || position >= text.size()) return std::nullopt;
  if (ClassOf(text[position]) == ByteClass::kDigit) {
    return NumberLevel(RunAt(text, position, ByteClass::kDigit));
  }
  return WordLevel(RunAt(text, position, ByteClass::kLetter));
}

std::optional<Level> KlogLevel(std::string_view text) {
  if (text.size() < 6 || text[5] != ' ') return std::nullopt;
  for (std::size_t i = 1; i < 5; ++i) {
    if (ClassOf(text[i]) != ByteClass::kDigit) return std::nullopt;
  }
  switch (text[0]) {
    case 'I':
      return Level::kInfo;
    case 'W':
      return Level::kWarn;
    case 'E':
      return Level::kError;
    case 'F':
      return Level::kFatal;
    default:
      return std::nullopt;
  }
}

bool NamesException(std::string_view word) {
  return (word.size() > 5 && word.ends_with("Error")) ||
         (word.size() >= 9 && word.ends_with("Exception"));
}

}  // namespace

std::string_view LevelName(Level level) {
  switch (level) {
    case Level::kUnknown:
      return "unknown";
    case Level::kTrace:
      return "trace";
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
    case Level::kCritical:
      return "critical";
    case Level::kFatal:
      return "fatal";
  }
  return "unknown";
}

Level DetectLevel(std::string_view line) {
  std::string_view text = line.substr(0, kLevelWindow);
  std::optional<Level> first_word = KlogLevel(text);
  bool exception = false;
  std::size_t i = 0;
  while (i < text.size()) {
    if (ClassOf(text[i]) != ByteClass::kLetter) {
      ++i;
      continue;
    }
    std::string_view word = RunAt(text, i, ByteClass::kLetter);
    std::size_t end = i + word.size();
    if (word.size() >= 3) {
      if (IsLevelKey(word)) {
        if (auto level = LevelAfterKey(text, end)) return *level;
      } else if (!first_word) {
        // A part of an identifier ("err_code", "x86info") says nothing about the line.
        bool joined_left =
            i > 0 && (text[i - 1] == '_' || ClassOf(text[i - 1]) == ByteClass::kDigit);
        bool joined_right =
            end < text.size() && (text[end] == '_' || ClassOf(text[end]) == ByteClass::kDigit);
        if (!joined_left && !joined_right) {
          // A word cut by the window may be the start of another one.
          bool cut = end == text.size() && line.size() > text.size();
          if (!cut) first_word = WordLevel(word);
          if (!first_word && NamesException(word)) exception = true;
        }
      }
    }
    i = end;
  }
  if (first_word) return *first_word;
  return exception ? Level::kError : Level::kUnknown;
}

Level LevelOfLabels(const LabelSet& labels) {
  for (std::string_view name : {"level", "LEVEL", "Level", "severity", "SEVERITY", "Severity",
                                "SeverityText", "lvl", "LVL", "Lvl", "severity_text"}) {
    std::string_view value = labels.Get(name);
    if (!value.empty()) return WordLevel(value).value_or(Level::kUnknown);
  }
  return Level::kUnknown;
}

}  // namespace dunlin::ingest
