#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace dunlin::logql {

enum class TokenKind {
  kEnd,
  kInvalid,  // `value` and `expecting` say what is wrong
  kIdentifier,
  kString,
  kNumber,
  kDuration,
  kBytes,
  kRange,  // [5m]
  kOpenBrace,
  kCloseBrace,
  kOpenParen,
  kCloseParen,
  kComma,
  kPipe,
  kEqual,
  kEqualEqual,
  kNotEqual,
  kMatches,      // =~
  kNotMatches,   // !~
  kPipeEqual,    // |=
  kPipeMatches,  // |~
  kPipePattern,  // |>
  kNotPattern,   // !>
  kGreater,
  kGreaterEqual,
  kLess,
  kLessEqual,
  kPlus,
  kMinus,
  kStar,
  kSlash,
  kPercent,
  kCaret,
};

/// Where a token starts, from 1; columns count characters.
struct Position {
  std::size_t line = 1;
  std::size_t column = 1;
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  Position position;
  std::string_view text;                // as written; a view into the query
  std::string value;                    // kString: unescaped; kInvalid: what stands there
  std::string_view expecting;           // kInvalid: what would be right, empty if it depends
  double number = 0;                    // kNumber, kBytes
  std::chrono::nanoseconds duration{};  // kDuration, kRange
};

/// How messages name a kind of token: `"|="`, `identifier`, `end of query`.
std::string_view TokenKindName(TokenKind kind);

/// Splits a query into tokens; the last is kEnd, or kInvalid where the text cannot be read on.
/// Keywords are identifiers here: what they mean depends on their place.
std::vector<Token> Tokenize(std::string_view text);

}  // namespace dunlin::logql
