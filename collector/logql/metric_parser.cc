#include <algorithm>

#include "collector/logql/binary_ops.h"
#include "collector/logql/literals.h"
#include "collector/logql/parser.h"
#include "protocol/base/text.h"

namespace dunlin::logql {

const std::vector<Keyword> kFunctionKeywords = {
    {"count_over_time", true},
    {"rate", true},
    {"bytes_over_time", true},
    {"bytes_rate", true},
    {"sum", true},
    {"avg", true},
    {"min", true},
    {"max", true},
    {"count", true},
    {"vector", true},
    {"absent_over_time", false},
    {"approx_topk", false},
    {"avg_over_time", false},
    {"bottomk", false},
    {"first_over_time", false},
    {"label_replace", false},
    {"last_over_time", false},
    {"max_over_time", false},
    {"min_over_time", false},
    {"quantile_over_time", false},
    {"rate_counter", false},
    {"sort", false},
    {"sort_desc", false},
    {"stddev", false},
    {"stddev_over_time", false},
    {"stdvar", false},
    {"stdvar_over_time", false},
    {"sum_over_time", false},
    {"topk", false},
};

namespace {

std::optional<RangeOp> RangeOpNamed(std::string_view name) {
  if (name == "count_over_time") return RangeOp::kCountOverTime;
  if (name == "rate") return RangeOp::kRate;
  if (name == "bytes_over_time") return RangeOp::kBytesOverTime;
  if (name == "bytes_rate") return RangeOp::kBytesRate;
  return std::nullopt;
}

std::optional<VectorOp> VectorOpNamed(std::string_view name) {
  if (name == "sum") return VectorOp::kSum;
  if (name == "avg") return VectorOp::kAvg;
  if (name == "min") return VectorOp::kMin;
  if (name == "max") return VectorOp::kMax;
  if (name == "count") return VectorOp::kCount;
  return std::nullopt;
}

/// `or`, `and`, `unless` and the matching modifiers are LogQL, but not offered.
constexpr std::string_view kSetOperators[] = {"and", "or", "unless"};
constexpr std::string_view kMatchingModifiers[] = {"on", "ignoring", "group_left", "group_right"};

}  // namespace

// expression = operand { operator [ "bool" ] operand }, by precedence climbing: takes the operators
// that bind at least as tightly as `min_precedence`.
Result<Parser::Expression> Parser::ParseExpression(int min_precedence) {
  Nesting nesting(*this);
  if (AtDepthLimit()) return TooDeep();
  auto left = ParseOperand();
  while (left && std::holds_alternative<MetricQuery>(left->query)) {
    for (std::string_view word : kSetOperators) {
      if (AtWord(word)) return Unsupported(Peek(), word);
    }
    auto op = FindBinaryOp(Peek().text);
    if (!op || Precedence(*op) < min_precedence) return left;
    Next();
    BinaryOperation operation{*op, false, MetricQuery{}, MetricQuery{}};
    if (AtWord("bool")) {
      if (!IsComparison(*op)) return Unexpected("an operand: bool goes with comparisons");
      Next();
      operation.return_bool = true;
    }
    for (std::string_view word : kMatchingModifiers) {
      if (AtWord(word)) return Unsupported(Peek(), word);
    }
    Token right_start = Peek();
    auto right = ParseExpression(Precedence(*op) + (IsRightAssociative(*op) ? 0 : 1));
    if (!right) return right;
    MetricQuery* right_metric = std::get_if<MetricQuery>(&right->query);
    if (right_metric == nullptr) return UnexpectedLogQuery(right_start);
    MetricQuery& left_metric = std::get<MetricQuery>(left->query);
    const Number* a = std::get_if<Number>(&left_metric.node);
    const Number* b = std::get_if<Number>(&right_metric->node);
    if (a != nullptr && b != nullptr) {
      left->query = MetricQuery{Number{Compute(*op, a->value, b->value)}};
      continue;
    }
    operation.left = std::move(left_metric);
    operation.right = std::move(*right_metric);
    left->depth = std::max(left->depth, right->depth) + 1;
    if (left->depth > limits_.max_depth) return TooDeep();
    left->query = MetricQuery{std::move(operation)};
  }
  return left;
}

Result<Parser::Expression> Parser::ParseOperand() {
  if (At(TokenKind::kOpenParen)) return ParseParenthesised();
  if (At(TokenKind::kOpenBrace)) {
    auto query = ParseLogQueryRule();
    if (!query) return std::move(query).error();
    return Expression{Query(*std::move(query))};
  }
  if (At(TokenKind::kNumber) || At(TokenKind::kPlus) || At(TokenKind::kMinus)) {
    auto number = ParseSignedNumber();
    if (!number) return std::move(number).error();
    return Expression{Query(MetricQuery{Number{*number}})};
  }
  if (At(TokenKind::kIdentifier)) return ParseCall();
  return Unexpected("a selector such as {service=\"web\"}, a function or a number");
}

Result<Parser::Expression> Parser::ParseParenthesised() {
  Next();
  auto inner = ParseExpression(/*min_precedence=*/0);
  if (inner && !Accept(TokenKind::kCloseParen)) return Unexpected("\")\"");
  return inner;
}

// literal = [ "+" | "-" ] NUMBER
Result<double> Parser::ParseSignedNumber() {
  bool negative = At(TokenKind::kMinus);
  if (At(TokenKind::kMinus) || At(TokenKind::kPlus)) Next();
  auto number = Expect(TokenKind::kNumber);
  if (!number) return std::move(number).error();
  return negative ? -number->number : number->number;
}

Result<Parser::Expression> Parser::ParseCall() {
  std::string name = ToLowerAscii(Peek().text);
  auto keyword = std::find_if(kFunctionKeywords.begin(), kFunctionKeywords.end(),
                              [&](const Keyword& k) { return k.word == name; });
  if (keyword == kFunctionKeywords.end()) {
    return Unexpected("a selector such as {service=\"web\"}, a function or a number");
  }
  if (!keyword->supported) return Unsupported(Peek(), keyword->word);
  Next();
  if (auto op = RangeOpNamed(name)) return ParseRangeAggregation(*op);
  if (auto op = VectorOpNamed(name)) return ParseVectorAggregation(*op);
  return ParseConstantVector();
}

// "vector" "(" NUMBER ")"
Result<Parser::Expression> Parser::ParseConstantVector() {
  if (auto open = Expect(TokenKind::kOpenParen); !open) return std::move(open).error();
  auto number = ParseSignedNumber();
  if (!number) return std::move(number).error();
  if (auto close = Expect(TokenKind::kCloseParen); !close) return std::move(close).error();
  return Expression{Query(MetricQuery{ConstantVector{*number}})};
}

// range_op "(" log_range ")"
Result<Parser::Expression> Parser::ParseRangeAggregation(RangeOp op) {
  std::string_view name = tokens_[at_ - 1].text;
  if (auto open = Expect(TokenKind::kOpenParen); !open) return std::move(open).error();
  if (At(TokenKind::kNumber)) return Invalid(Join(name, " takes no parameter"));
  auto range = ParseLogRange();
  if (!range) return std::move(range).error();
  if (!range->range) return Unexpected("a range such as [5m]");
  if (range->range->count() == 0) return Invalid("a range must be longer than zero");
  if (!Accept(TokenKind::kCloseParen)) return Unexpected("\")\"");
  if (AtGrouping()) return Invalid(Join("grouping is not allowed for ", name));
  RangeAggregation aggregation{op, {std::move(range->query), *range->range, range->offset}};
  return Expression{Query(MetricQuery{std::move(aggregation)})};
}

// log_range = selector ( RANGE [ offset ] { stage } | { stage } RANGE [ offset ] )
//           | "(" selector { stage } ")" RANGE [ offset ] | "(" log_range ")"
Result<Parser::PartialLogRange> Parser::ParseLogRange() {
  Nesting nesting(*this);
  if (AtDepthLimit()) return TooDeep();
  PartialLogRange range;
  if (Accept(TokenKind::kOpenParen)) {
    auto inner = ParseLogRange();
    if (!inner) return inner;
    range = *std::move(inner);
    if (!Accept(TokenKind::kCloseParen)) return Unexpected("\")\"");
  } else {
    auto matchers = ParseMatchers();
    if (!matchers) return std::move(matchers).error();
    if (auto valid = CheckSelector(*matchers); !valid) return std::move(valid).error();
    range.query.selector = *std::move(matchers);
    if (auto parsed = ParseRangeAndOffset(range); !parsed) return std::move(parsed).error();
    auto stages = ParseStages();
    if (!stages) return std::move(stages).error();
    range.query.stages = *std::move(stages);
  }
  if (!range.range) {
    if (auto parsed = ParseRangeAndOffset(range); !parsed) return std::move(parsed).error();
  }
  return range;
}

// [ RANGE [ "offset" [ "-" ] DURATION ] ]
Result<void> Parser::ParseRangeAndOffset(PartialLogRange& into) {
  if (!At(TokenKind::kRange)) return {};
  into.range = Next().duration;
  if (!AcceptWord("offset")) return {};
  bool negative = Accept(TokenKind::kMinus);
  auto offset = Expect(TokenKind::kDuration);
  if (!offset) return std::move(offset).error();
  into.offset = negative ? -offset->duration : offset->duration;
  return {};
}

// vec_op [ grouping ] "(" expression ")" | vec_op "(" expression ")" grouping
Result<Parser::Expression> Parser::ParseVectorAggregation(VectorOp op) {
  std::string_view name = tokens_[at_ - 1].text;
  VectorAggregation aggregation{op, std::nullopt, MetricQuery{}};
  if (AtGrouping()) {
    auto grouping = ParseGrouping();
    if (!grouping) return std::move(grouping).error();
    aggregation.grouping = *std::move(grouping);
  }
  if (auto open = Expect(TokenKind::kOpenParen); !open) return std::move(open).error();
  Token start = Peek();
  auto operand = ParseExpression(/*min_precedence=*/0);
  if (!operand) return operand;
  MetricQuery* metric = std::get_if<MetricQuery>(&operand->query);
  if (metric == nullptr) return UnexpectedLogQuery(start);
  if (!Accept(TokenKind::kCloseParen)) return Unexpected("\")\"");
  if (std::holds_alternative<Number>(metric->node)) {
    return Invalid(Join(name, " takes a vector, not a number"));
  }
  if (AtGrouping() && !aggregation.grouping) {
    auto grouping = ParseGrouping();
    if (!grouping) return std::move(grouping).error();
    aggregation.grouping = *std::move(grouping);
  }
  aggregation.operand = std::move(*metric);
  std::size_t depth = operand->depth + 1;
  if (depth > limits_.max_depth) return TooDeep();
  return Expression{Query(MetricQuery{std::move(aggregation)}), depth};
}

// grouping = ( "by" | "without" ) "(" [ IDENT { "," IDENT } ] ")"
Result<Grouping> Parser::ParseGrouping() {
  Grouping grouping;
  grouping.kind = AtWord("by") ? Grouping::Kind::kBy : Grouping::Kind::kWithout;
  Next();
  if (auto open = Expect(TokenKind::kOpenParen); !open) return std::move(open).error();
  if (Accept(TokenKind::kCloseParen)) return grouping;
  do {
    auto label = Expect(TokenKind::kIdentifier);
    if (!label) return std::move(label).error();
    grouping.labels.emplace_back(label->text);
  } while (Accept(TokenKind::kComma));
  if (!Accept(TokenKind::kCloseParen)) return Unexpected("\",\" or \")\"");
  return grouping;
}

Error Parser::UnexpectedLogQuery(const Token& start) const {
  return Error(ErrorCode::kInvalidArgument,
               Join("parse error at line ", start.position.line, ", col ", start.position.column,
                    ": syntax error: unexpected log query, expecting a metric query such as "
                    "rate(...)"));
}

}  // namespace dunlin::logql
