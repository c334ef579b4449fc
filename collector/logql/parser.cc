#include "collector/logql/parser.h"

#include <algorithm>

#include "collector/logql/literals.h"
#include "protocol/base/text.h"

namespace dunlin::logql {
namespace {

constexpr std::size_t kMaxQuotedBytes = 40;

std::string At(const Position& position) {
  return Join("parse error at line ", position.line, ", col ", position.column, ": ");
}

/// Kinds of tokens whose text says more than their name.
bool ShowsText(TokenKind kind) {
  return kind == TokenKind::kIdentifier || kind == TokenKind::kNumber ||
         kind == TokenKind::kDuration || kind == TokenKind::kBytes || kind == TokenKind::kRange;
}

/// How a message shows a token.
std::string Describe(const Token& token) {
  if (token.kind == TokenKind::kInvalid) return token.value;
  std::string name(TokenKindName(token.kind));
  bool is_string = token.kind == TokenKind::kString;
  if (!is_string && !ShowsText(token.kind)) return name;
  std::string_view text = is_string ? std::string_view(token.value) : token.text;
  std::string_view dots = text.size() > kMaxQuotedBytes ? "..." : "";
  text = text.substr(0, kMaxQuotedBytes);
  return Join(name, " ", is_string ? Quote(text) : std::string(text), dots);
}

}  // namespace

Parser::Parser(std::string_view text, const ParseLimits& limits)
    : limits_(limits), text_bytes_(text.size()) {
  // A text over the limit is not even split; ParseWhole... answers for it.
  if (text_bytes_ <= limits_.max_query_bytes) tokens_ = Tokenize(text);
}

const Token& Parser::Peek(std::size_t ahead) const {
  return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
}

Token Parser::Next() {
  Token token = Peek();
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool Parser::AtWord(std::string_view word) const {
  return At(TokenKind::kIdentifier) && EqualsIgnoreCase(Peek().text, word);
}

bool Parser::Accept(TokenKind kind) {
  if (!At(kind)) return false;
  Next();
  return true;
}

bool Parser::AcceptWord(std::string_view word) {
  if (!AtWord(word)) return false;
  Next();
  return true;
}

Result<Token> Parser::Expect(TokenKind kind) {
  if (!At(kind)) return Unexpected(TokenKindName(kind));
  return Next();
}

Error Parser::Unexpected(std::string_view expecting) const {
  const Token& token = Peek();
  if (!token.expecting.empty()) expecting = token.expecting;
  return Error(ErrorCode::kInvalidArgument,
               Join(logql::At(token.position), "syntax error: unexpected ", Describe(token),
                    ", expecting ", expecting));
}

Error Parser::Unsupported(const Token& at, std::string_view construct) const {
  return Error(ErrorCode::kUnsupported, Join(logql::At(at.position), "unsupported: ", construct));
}

Error Parser::Invalid(std::string_view reason) const {
  return Error(ErrorCode::kInvalidArgument, Join("parse error : ", reason));
}

Error Parser::TooDeep() const {
  return Invalid(Join("the query is nested more than ", limits_.max_depth, " levels deep"));
}

Result<Query> Parser::ParseWholeQuery() {
  if (tokens_.empty()) {
    return Invalid(Join("the query has ", text_bytes_, " bytes, more than the allowed ",
                        limits_.max_query_bytes));
  }
  auto expression = ParseExpression(/*min_precedence=*/0);
  if (!expression) return std::move(expression).error();
  if (!At(TokenKind::kEnd)) return Unexpected(TokenKindName(TokenKind::kEnd));
  return std::move(expression->query);
}

Result<std::vector<Matcher>> Parser::ParseWholeSelector() {
  if (tokens_.empty()) {
    return Invalid(Join("the selector has ", text_bytes_, " bytes, more than the allowed ",
                        limits_.max_query_bytes));
  }
  auto matchers = ParseMatchers();
  if (!matchers) return matchers;
  if (!At(TokenKind::kEnd)) return Unexpected(TokenKindName(TokenKind::kEnd));
  return matchers;
}

Result<Query> Parse(std::string_view text, const ParseLimits& limits) {
  return Parser(text, limits).ParseWholeQuery();
}

Result<LogQuery> ParseLogQuery(std::string_view text, const ParseLimits& limits) {
  auto query = Parse(text, limits);
  if (!query) return std::move(query).error();
  if (LogQuery* log = std::get_if<LogQuery>(&*query)) return std::move(*log);
  return Error(ErrorCode::kInvalidArgument,
               "parse error : a metric query is not possible here, expecting a log query such as "
               "{service=\"web\"} |= \"text\"");
}

Result<std::vector<Matcher>> ParseSelector(std::string_view text, const ParseLimits& limits) {
  return Parser(text, limits).ParseWholeSelector();
}

Result<std::chrono::nanoseconds> ParsePrometheusDuration(std::string_view text) {
  if (auto duration = ReadPrometheusDuration(text)) return *duration;
  return Error(ErrorCode::kInvalidArgument,
               Join(Quote(text.substr(0, kMaxQuotedBytes)),
                    " is not a duration: give whole numbers with units in descending order, as in "
                    "5m or 1h30m"));
}

}  // namespace dunlin::logql
