#include "agent/flat_object.h"

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
    // \uXXXX: control characters only; everything else can be written as it is.
    if (c != 'u' || rest_.size() < 4) return false;
    auto bytes = ParseHex(rest_.substr(0, 4));
    if (!bytes || (*bytes)[0] != 0 || static_cast<unsigned char>((*bytes)[1]) >= 0x80) return false;
    value.push_back((*bytes)[1]);
    rest_.remove_prefix(4);
    return true;
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
