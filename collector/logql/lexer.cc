#include "collector/logql/lexer.h"

#include <optional>
#include <utility>

#include "collector/logql/literals.h"
#include "protocol/base/text.h"

namespace dunlin::logql {
namespace {

struct Punctuation {
  std::string_view text;
  TokenKind kind;
};

// Longer ones before their prefixes.
constexpr Punctuation kPunctuation[] = {
    {"==", TokenKind::kEqualEqual},   {"=~", TokenKind::kMatches},
    {"!=", TokenKind::kNotEqual},     {"!~", TokenKind::kNotMatches},
    {"!>", TokenKind::kNotPattern},   {"|=", TokenKind::kPipeEqual},
    {"|~", TokenKind::kPipeMatches},  {"|>", TokenKind::kPipePattern},
    {">=", TokenKind::kGreaterEqual}, {"<=", TokenKind::kLessEqual},
    {"{", TokenKind::kOpenBrace},     {"}", TokenKind::kCloseBrace},
    {"(", TokenKind::kOpenParen},     {")", TokenKind::kCloseParen},
    {",", TokenKind::kComma},         {"|", TokenKind::kPipe},
    {"=", TokenKind::kEqual},         {">", TokenKind::kGreater},
    {"<", TokenKind::kLess},          {"+", TokenKind::kPlus},
    {"-", TokenKind::kMinus},         {"*", TokenKind::kStar},
    {"/", TokenKind::kSlash},         {"%", TokenKind::kPercent},
    {"^", TokenKind::kCaret},
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : rest_(text) {}

  std::vector<Token> Run() {
    do {
      SkipBlanks();
      token_ = Token{};
      token_.position = position_;
      Scan();
      tokens_.push_back(std::move(token_));
    } while (tokens_.back().kind != TokenKind::kEnd && tokens_.back().kind != TokenKind::kInvalid);
    return std::move(tokens_);
  }

 private:
  void SkipBlanks() {
    while (!rest_.empty()) {
      if (IsSpace(rest_[0])) {
        Advance(1);
      } else if (rest_[0] == '#') {
        Advance(std::min(rest_.find('\n'), rest_.size()));
      } else {
        return;
      }
    }
  }

  void Advance(std::size_t bytes) {
    for (char c : rest_.substr(0, bytes)) {
      bool continues_character = (static_cast<unsigned char>(c) & 0xC0) == 0x80;
      if (c == '\n') {
        ++position_.line;
        position_.column = 1;
      } else if (!continues_character) {
        ++position_.column;
      }
    }
    rest_.remove_prefix(bytes);
  }

  void Scan() {
    if (rest_.empty()) return;
    char c = rest_[0];
    if (IsLetter(c)) return ScanIdentifier();
    if (IsDigit(c) || (c == '.' && rest_.size() > 1 && IsDigit(rest_[1]))) return ScanNumber();
    if (c == '"') return ScanString();
    if (c == '`') return ScanRawString();
    if (c == '[') return ScanRange();
    for (const Punctuation& candidate : kPunctuation) {
      if (rest_.starts_with(candidate.text)) return Take(candidate.kind, candidate.text.size());
    }
    std::size_t length = Utf8SequenceLength(rest_);
    if (c == '\'') return Reject("single quote", "a string in double quotes or backticks");
    if (length == 0) return Reject("byte that is not UTF-8");
    Reject(Join("character ", Quote(rest_.substr(0, length))));
  }

  void Take(TokenKind kind, std::size_t bytes) {
    token_.kind = kind;
    token_.text = rest_.substr(0, bytes);
    Advance(bytes);
  }

  /// `expecting` is a literal, or empty when what is expected depends on the grammar.
  void Reject(std::string_view unexpected, std::string_view expecting = {}) {
    token_.kind = TokenKind::kInvalid;
    token_.value = unexpected;
    token_.expecting = expecting;
  }

  void ScanIdentifier() {
    std::size_t length = 1;
    while (length < rest_.size() && (IsLetter(rest_[length]) || IsDigit(rest_[length]))) ++length;
    Take(TokenKind::kIdentifier, length);
  }

  void ScanNumber() {
    std::size_t length = 0;
    // Everything glued to the number belongs to it: 1h30m, 0x1F, 10µs, and also the mistake 5x.
    while (length < rest_.size()) {
      char c = rest_[length];
      bool glued = IsDigit(c) || IsLetter(c) || c == '.' || static_cast<unsigned char>(c) >= 0x80;
      bool hexadecimal = rest_.starts_with("0x") || rest_.starts_with("0X");
      bool exponent_sign = (c == '+' || c == '-') && length > 0 && !hexadecimal &&
                           (rest_[length - 1] == 'e' || rest_[length - 1] == 'E');
      if (!glued && !exponent_sign) break;
      ++length;
    }
    std::string_view text = rest_.substr(0, length);
    bool bytes = text.back() == 'b' || text.back() == 'B';
    if (auto number = ReadNumber(text)) {
      token_.number = *number;
      return Take(TokenKind::kNumber, length);
    }
    auto duration = ReadPrometheusDuration(text);
    if (!duration) duration = ReadGoDuration(text);
    if (duration) {
      token_.duration = *duration;
      return Take(TokenKind::kDuration, length);
    }
    if (auto size = ReadByteSize(text); size && bytes) {
      token_.number = *size;
      return Take(TokenKind::kBytes, length);
    }
    Reject(Quote(text.substr(0, 40)), "number, duration or size such as 5, 1h30m or 10KB");
  }

  void ScanString() {
    std::size_t end = 1;
    while (end < rest_.size() && rest_[end] != '"' && rest_[end] != '\n') {
      end += rest_[end] == '\\' ? 2 : 1;
    }
    if (end >= rest_.size() || rest_[end] != '"') {
      return Reject("end of string", "a closing \"");
    }
    auto value = Unescape(rest_.substr(1, end - 1));
    if (!value) return Reject("escape in string", "one of Go's, or a string in backticks");
    TakeString(*std::move(value), end + 1);
  }

  void ScanRawString() {
    std::size_t end = rest_.find('`', 1);
    if (end == std::string_view::npos) return Reject("end of string", "a closing `");
    TakeString(std::string(rest_.substr(1, end - 1)), end + 1);
  }

  void TakeString(std::string value, std::size_t bytes) {
    for (std::string_view text = rest_.substr(0, bytes); !text.empty();) {
      std::size_t length = Utf8SequenceLength(text);
      if (length == 0) return Reject("byte in string that is not UTF-8", "an escape such as \\xff");
      text.remove_prefix(length);
    }
    token_.value = std::move(value);
    Take(TokenKind::kString, bytes);
  }

  void ScanRange() {
    std::size_t end = rest_.find(']');
    if (end == std::string_view::npos) return Reject("end of range", "a closing ]");
    std::string_view text = rest_.substr(1, end - 1);
    while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
    while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
    auto duration = ReadPrometheusDuration(text);
    if (!duration) {
      return Reject(Join("range ", Quote(text.substr(0, 40))), "a duration such as 5m or 1h30m");
    }
    token_.duration = *duration;
    Take(TokenKind::kRange, end + 1);
  }

  std::string_view rest_;
  Position position_;
  Token token_;
  std::vector<Token> tokens_;
};

}  // namespace

std::string_view TokenKindName(TokenKind kind) {
  switch (kind) {
    case TokenKind::kEnd:
      return "end of query";
    case TokenKind::kInvalid:
      return "invalid text";
    case TokenKind::kIdentifier:
      return "identifier";
    case TokenKind::kString:
      return "string";
    case TokenKind::kNumber:
      return "number";
    case TokenKind::kDuration:
      return "duration";
    case TokenKind::kBytes:
      return "size";
    case TokenKind::kRange:
      return "range";
    case TokenKind::kOpenBrace:
      return "\"{\"";
    case TokenKind::kCloseBrace:
      return "\"}\"";
    case TokenKind::kOpenParen:
      return "\"(\"";
    case TokenKind::kCloseParen:
      return "\")\"";
    case TokenKind::kComma:
      return "\",\"";
    case TokenKind::kPipe:
      return "\"|\"";
    case TokenKind::kEqual:
      return "\"=\"";
    case TokenKind::kEqualEqual:
      return "\"==\"";
    case TokenKind::kNotEqual:
      return "\"!=\"";
    case TokenKind::kMatches:
      return "\"=~\"";
    case TokenKind::kNotMatches:
      return "\"!~\"";
    case TokenKind::kPipeEqual:
      return "\"|=\"";
    case TokenKind::kPipeMatches:
      return "\"|~\"";
    case TokenKind::kPipePattern:
      return "\"|>\"";
    case TokenKind::kNotPattern:
      return "\"!>\"";
    case TokenKind::kGreater:
      return "\">\"";
    case TokenKind::kGreaterEqual:
      return "\">=\"";
    case TokenKind::kLess:
      return "\"<\"";
    case TokenKind::kLessEqual:
      return "\"<=\"";
    case TokenKind::kPlus:
      return "\"+\"";
    case TokenKind::kMinus:
      return "\"-\"";
    case TokenKind::kStar:
      return "\"*\"";
    case TokenKind::kSlash:
      return "\"/\"";
    case TokenKind::kPercent:
      return "\"%\"";
    case TokenKind::kCaret:
      return "\"^\"";
  }
  return "token";
}

std::vector<Token> Tokenize(std::string_view text) { return Lexer(text).Run(); }

}  // namespace dunlin::logql
