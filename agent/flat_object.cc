#include "agent/flat_object.h"

#include <cstdint>
#include <optional>

#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool Take(char c) {
    SkipSpace();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool AtEnd() {
    SkipSpace();
    return rest_.empty();
  }

  std::optional<std::string> String() {
    if (!Take('"')) return std::nullopt;
    std::string value;
    while (!rest_.empty()) {
      char c = rest_[0];
      rest_.remove_prefix(1);
      if (c == '"') return value;
      if (static_cast<unsigned char>(c) < ' ') return std::nullopt;
      if (c != '\\') {
        value.push_back(c);
      } else if (!Escape(value)) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  /// A number, true, false or null, as it is written.
  std::optional<std::string> Word() {
    SkipSpace();
    std::size_t size = rest_.find_first_of(" \t\r\n,}");
    if (size == std::string_view::npos || size == 0) return std::nullopt;
    std::string_view word = rest_.substr(0, size);
    const bool literal = word == "true" || word == "false" || word == "null";
    if (!literal && word.find_first_not_of("0123456789+-.eE") != std::string_view::npos) {
      return std::nullopt;
    }
    rest_.remove_prefix(size);
    return std::string(word);
  }

  bool AtString() {
    SkipSpace();
    return rest_.starts_with('"');
  }

 private:
  void SkipSpace() {
    while (!rest_.empty() && std::string_view(" \t\r\n").find(rest_[0]) != std::string_view::npos) {
      rest_.remove_prefix(1);
    }
  }

  bool Escape(std::string& value) {
    if (rest_.empty()) return false;
    char c = rest_[0];
    rest_.remove_prefix(1);
    constexpr std::string_view kFrom = "\"\\/bfnrt";
    constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
    if (std::size_t i = kFrom.find(c); i != std::string_view::npos) {
      value.push_back(kTo[i]);
      return true;
    }
    if (c != 'u') return false;
    auto unit = CodeUnit();
    if (!unit) return false;
    // RFC 8259 section 7: what has no 16 bits of its own comes as a pair of surrogates.
    if (*unit >= 0xDC00 && *unit < 0xE000) return false;
    if (*unit < 0xD800 || *unit >= 0xE000) {
      AppendUtf8(value, *unit);
      return true;
    }
    if (!rest_.starts_with("\\u")) return false;
    rest_.remove_prefix(2);
    auto low = CodeUnit();
    if (!low || *low < 0xDC00 || *low >= 0xE000) return false;
    AppendUtf8(value, 0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00));
    return true;
  }

  /// The four digits after \u.
  std::optional<std::uint32_t> CodeUnit() {
    if (rest_.size() < 4) return std::nullopt;
    auto bytes = ParseHex(rest_.substr(0, 4));
    if (!bytes) return std::nullopt;
    rest_.remove_prefix(4);
    return static_cast<std::uint32_t>(static_cast<unsigned char>((*bytes)[0])) << 8 |
           static_cast<unsigned char>((*bytes)[1]);
  }

  static void AppendUtf8(std::string& out, std::uint32_t point) {
    auto append = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    auto follow = [&append, point](unsigned shift) { append(0x80 | (point >> shift & 0x3F)); };
    if (point < 0x80) return append(point);
    if (point < 0x800) {
      append(0xC0 | point >> 6);
    } else if (point < 0x10000) {
      append(0xE0 | point >> 12);
      follow(6);
    } else {
      append(0xF0 | point >> 18);
      follow(12);
      follow(6);
    }
    follow(0);
  }

  std::string_view rest_;
};

Error Malformed() {
  return Error(ErrorCode::kInvalidArgument,
               R"(the body must be a JSON object without nesting, as in {"grace": "5s"})");
}

}  // namespace

Result<std::vector<std::pair<std::string, std::string>>> ParseFlatObject(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> fields;
  Reader reader(text);
  if (!reader.Take('{')) return Malformed();
  if (!reader.Take('}')) {
    do {
      auto key = reader.String();
      if (!key || !reader.Take(':')) return Malformed();
      const bool quoted = reader.AtString();
      auto value = quoted ? reader.String() : reader.Word();
      if (!value) return Malformed();
      if (quoted || *value != "null") fields.emplace_back(std::move(*key), std::move(*value));
    } while (reader.Take(','));
    if (!reader.Take('}')) return Malformed();
  }
  if (!reader.AtEnd()) return Malformed();
  return fields;
}

}  // namespace dunlin::agent
