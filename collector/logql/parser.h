#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collector/logql/ast.h"
#include "collector/logql/lexer.h"
#include "collector/logql/parse.h"
#include "protocol/base/result.h"

namespace dunlin::logql {

/// Recursive descent over the tokens of one query: one function per rule of the grammar in
/// docs/logql.md. Rules of meaning are checked where their parts are complete.
class Parser {
 public:
  Parser(std::string_view text, const ParseLimits& limits);

  Result<Query> ParseWholeQuery();
  Result<std::vector<Matcher>> ParseWholeSelector();

 private:
  /// Part of a query with the height of its tree, which parentheses do not show.
  struct Expression {
    Query query;
    std::size_t depth = 1;
  };
  /// A log range under construction: the range may come before or after the stages.
  struct PartialLogRange {
    LogQuery query;
    std::optional<std::chrono::nanoseconds> range;
    std::chrono::nanoseconds offset{};
  };
  /// Counts one level of recursion while it lives.
  class Nesting {
   public:
    explicit Nesting(Parser& parser) : parser_(parser) { ++parser_.nesting_; }
    ~Nesting() { --parser_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    Parser& parser_;
  };

  // parser.cc: what is common.
  const Token& Peek(std::size_t ahead = 0) const;
  Token Next();
  bool At(TokenKind kind) const { return Peek().kind == kind; }
  bool AtWord(std::string_view word) const;
  bool Accept(TokenKind kind);
  bool AcceptWord(std::string_view word);
  Result<Token> Expect(TokenKind kind);
  Error Unexpected(std::string_view expecting) const;
  Error Unsupported(const Token& at, std::string_view construct) const;
  Error Invalid(std::string_view reason) const;
  Error UnexpectedLogQuery(const Token& start) const;
  Error TooDeep() const;
  bool AtDepthLimit() const { return nesting_ > limits_.max_depth; }

  // log_parser.cc: selectors and stages.
  Result<std::vector<Matcher>> ParseMatchers();
  Result<Matcher> ParseMatcher();
  Result<LogQuery> ParseLogQueryRule();
  Result<std::vector<Stage>> ParseStages();
  Result<Stage> ParseLineFilter();
  Result<Stage> ParsePipeStage();
  Result<Stage> ParseDrop();
  Result<LabelFilter> ParseLabelFilter();
  Result<LabelFilter> ParseLabelAllOf();
  Result<LabelFilter> ParseLabelTerm();
  Result<LabelFilter> ParseLabelPredicate();
  Result<void> CheckSelector(const std::vector<Matcher>& matchers) const;
  Result<void> CheckRegex(const Matcher& matcher) const;

  // metric_parser.cc: expressions over log ranges.
  Result<Expression> ParseExpression(int min_precedence);
  Result<Expression> ParseOperand();
  Result<Expression> ParseParenthesised();
  Result<Expression> ParseCall();
  Result<Expression> ParseConstantVector();
  Result<Expression> ParseRangeAggregation(RangeOp op);
  Result<Expression> ParseVectorAggregation(VectorOp op);
  Result<double> ParseSignedNumber();
  Result<PartialLogRange> ParseLogRange();
  Result<void> ParseRangeAndOffset(PartialLogRange& into);
  Result<Grouping> ParseGrouping();
  bool AtGrouping() const { return AtWord("by") || AtWord("without"); }

  ParseLimits limits_;
  std::size_t text_bytes_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t nesting_ = 0;
};

/// Words that name a construct only where the grammar asks for one; elsewhere they are labels.
/// `supported` words are parsed, the others are LogQL that is answered with kUnsupported.
struct Keyword {
  std::string_view word;
  bool supported;
};
extern const std::vector<Keyword> kStageKeywords;
extern const std::vector<Keyword> kFunctionKeywords;

}  // namespace dunlin::logql
