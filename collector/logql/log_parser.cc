#include <algorithm>

#include "collector/logql/literals.h"
#include "collector/logql/parser.h"
#include "collector/logql/regex.h"
#include "collector/logql/selector.h"
#include "protocol/base/text.h"

namespace dunlin::logql {

const std::vector<Keyword> kStageKeywords = {
    {"drop", true},          {"decolorize", false},  {"json", false},   {"keep", false},
    {"label_format", false}, {"line_format", false}, {"logfmt", false}, {"pattern", false},
    {"regexp", false},       {"unpack", false},      {"unwrap", false},
};

namespace {

std::optional<LineFilter::Op> LineFilterOp(TokenKind kind) {
  if (kind == TokenKind::kPipeEqual) return LineFilter::Op::kContains;
  if (kind == TokenKind::kNotEqual) return LineFilter::Op::kNotContains;
  if (kind == TokenKind::kPipeMatches) return LineFilter::Op::kRegex;
  if (kind == TokenKind::kNotMatches) return LineFilter::Op::kNotRegex;
  return std::nullopt;
}

std::optional<Matcher::Op> MatcherOp(TokenKind kind) {
  if (kind == TokenKind::kEqual) return Matcher::Op::kEqual;
  if (kind == TokenKind::kNotEqual) return Matcher::Op::kNotEqual;
  if (kind == TokenKind::kMatches) return Matcher::Op::kRegex;
  if (kind == TokenKind::kNotMatches) return Matcher::Op::kNotRegex;
  return std::nullopt;
}

std::optional<CompareOp> LabelCompareOp(TokenKind kind) {
  if (kind == TokenKind::kEqual || kind == TokenKind::kEqualEqual) return CompareOp::kEqual;
  if (kind == TokenKind::kNotEqual) return CompareOp::kNotEqual;
  if (kind == TokenKind::kGreater) return CompareOp::kGreater;
  if (kind == TokenKind::kGreaterEqual) return CompareOp::kGreaterEqual;
  if (kind == TokenKind::kLess) return CompareOp::kLess;
  if (kind == TokenKind::kLessEqual) return CompareOp::kLessEqual;
  return std::nullopt;
}

constexpr std::string_view kMatcherOps = "\"=\", \"!=\", \"=~\" or \"!~\"";

/// Adds `filter` to the terms of a conjunction or disjunction; one of the same kind is dissolved,
/// so that equal meanings have equal trees.
template <typename List>
void AddTerm(List& list, LabelFilter filter) {
  if (List* same = std::get_if<List>(&filter.node)) {
    std::move(same->terms.begin(), same->terms.end(), std::back_inserter(list.terms));
  } else {
    list.terms.push_back(std::move(filter));
  }
}

template <typename List>
LabelFilter JoinTerms(LabelFilter first, std::vector<LabelFilter> others) {
  if (others.empty()) return first;
  List list;
  AddTerm(list, std::move(first));
  for (LabelFilter& other : others) AddTerm(list, std::move(other));
  return LabelFilter{std::move(list)};
}

}  // namespace

// selector = "{" [ matcher { "," matcher } ] "}"
Result<std::vector<Matcher>> Parser::ParseMatchers() {
  if (auto open = Expect(TokenKind::kOpenBrace); !open) return std::move(open).error();
  std::vector<Matcher> matchers;
  if (Accept(TokenKind::kCloseBrace)) return matchers;
  do {
    auto matcher = ParseMatcher();
    if (!matcher) return std::move(matcher).error();
    matchers.push_back(*std::move(matcher));
    if (matchers.size() > limits_.max_matchers) {
      return Invalid(Join("the selector has more than ", limits_.max_matchers, " matchers"));
    }
  } while (Accept(TokenKind::kComma));
  if (!Accept(TokenKind::kCloseBrace)) return Unexpected("\",\" or \"}\"");
  return matchers;
}

// matcher = IDENT ( "=" | "!=" | "=~" | "!~" ) STRING
Result<Matcher> Parser::ParseMatcher() {
  auto name = Expect(TokenKind::kIdentifier);
  if (!name) return std::move(name).error();
  auto op = MatcherOp(Peek().kind);
  if (!op) return Unexpected(kMatcherOps);
  Next();
  auto value = Expect(TokenKind::kString);
  if (!value) return std::move(value).error();
  Matcher matcher{std::string(name->text), *op, std::move(value->value)};
  if (auto valid = CheckRegex(matcher); !valid) return std::move(valid).error();
  return matcher;
}

Result<void> Parser::CheckRegex(const Matcher& matcher) const {
  auto compiled = CompiledMatcher::Compile(matcher);
  if (!compiled) return Invalid(compiled.error().message());
  return {};
}

// A selector that an entry without any label satisfies would be a scan of everything.
Result<void> Parser::CheckSelector(const std::vector<Matcher>& matchers) const {
  for (const Matcher& matcher : matchers) {
    auto compiled = CompiledMatcher::Compile(matcher);
    if (!compiled) return Invalid(compiled.error().message());
    if (!compiled->Matches("")) return {};
  }
  return Invalid(
      "queries require at least one matcher that does not match the empty string, such as "
      "{service=\"web\"} or {service=~\".+\"}");
}

// log_query = selector { stage }
Result<LogQuery> Parser::ParseLogQueryRule() {
  LogQuery query;
  auto matchers = ParseMatchers();
  if (!matchers) return std::move(matchers).error();
  if (auto valid = CheckSelector(*matchers); !valid) return std::move(valid).error();
  query.selector = *std::move(matchers);
  auto stages = ParseStages();
  if (!stages) return std::move(stages).error();
  query.stages = *std::move(stages);
  return query;
}

Result<std::vector<Stage>> Parser::ParseStages() {
  std::vector<Stage> stages;
  for (;;) {
    if (At(TokenKind::kPipePattern) || At(TokenKind::kNotPattern)) {
      return Unsupported(Peek(), Peek().text);
    }
    bool line_filter = LineFilterOp(Peek().kind).has_value();
    if (!line_filter && !At(TokenKind::kPipe)) return stages;
    auto stage = line_filter ? ParseLineFilter() : ParsePipeStage();
    if (!stage) return std::move(stage).error();
    stages.push_back(*std::move(stage));
  }
}

// line_filter = ( "|=" | "!=" | "|~" | "!~" ) STRING { "or" STRING }
Result<Stage> Parser::ParseLineFilter() {
  LineFilterStage filter;
  filter.op = *LineFilterOp(Next().kind);
  bool is_regex = filter.op == LineFilter::Op::kRegex || filter.op == LineFilter::Op::kNotRegex;
  do {
    if (AtWord("ip") && Peek(1).kind == TokenKind::kOpenParen) return Unsupported(Peek(), "ip");
    auto pattern = Expect(TokenKind::kString);
    if (!pattern) return std::move(pattern).error();
    if (is_regex) {
      auto compiled = CompileRegex(pattern->value, RegexUse::kLine);
      if (!compiled) return Invalid(compiled.error().message());
    }
    filter.patterns.push_back(std::move(pattern->value));
  } while (AcceptWord("or"));
  return Stage(std::move(filter));
}

// stage = "|" ( "drop" ... | label_filter )
Result<Stage> Parser::ParsePipeStage() {
  Next();
  bool compared = LabelCompareOp(Peek(1).kind) || MatcherOp(Peek(1).kind);
  if (At(TokenKind::kIdentifier) && !compared) {
    std::string word = ToLowerAscii(Peek().text);
    for (const Keyword& keyword : kStageKeywords) {
      if (keyword.word == word && !keyword.supported) return Unsupported(Peek(), keyword.word);
    }
    if (AcceptWord("drop")) return ParseDrop();
  }
  if (!At(TokenKind::kIdentifier) && !At(TokenKind::kOpenParen)) {
    return Unexpected("a stage or a label filter");
  }
  auto filter = ParseLabelFilter();
  if (!filter) return std::move(filter).error();
  return Stage(*std::move(filter));
}

// "drop" named { "," named }, named = IDENT | matcher
Result<Stage> Parser::ParseDrop() {
  DropStage drop;
  do {
    if (MatcherOp(Peek(1).kind)) {
      auto matcher = ParseMatcher();
      if (!matcher) return std::move(matcher).error();
      drop.labels.push_back({matcher->name, *matcher});
    } else {
      auto name = Expect(TokenKind::kIdentifier);
      if (!name) return std::move(name).error();
      drop.labels.push_back({std::string(name->text), std::nullopt});
    }
  } while (Accept(TokenKind::kComma));
  return Stage(std::move(drop));
}

// label_filter = all_of { "or" all_of }
Result<LabelFilter> Parser::ParseLabelFilter() {
  Nesting nesting(*this);
  if (AtDepthLimit()) return TooDeep();
  auto first = ParseLabelAllOf();
  std::vector<LabelFilter> others;
  while (first && AcceptWord("or")) {
    auto other = ParseLabelAllOf();
    if (!other) return other;
    others.push_back(*std::move(other));
  }
  if (!first) return first;
  return JoinTerms<LabelAnyOf>(*std::move(first), std::move(others));
}

// all_of = term { "and" term }
Result<LabelFilter> Parser::ParseLabelAllOf() {
  auto first = ParseLabelTerm();
  std::vector<LabelFilter> others;
  while (first && AcceptWord("and")) {
    auto other = ParseLabelTerm();
    if (!other) return other;
    others.push_back(*std::move(other));
  }
  if (!first) return first;
  return JoinTerms<LabelAllOf>(*std::move(first), std::move(others));
}

// term = ( predicate | "(" label_filter ")" ) [ [ "," ] label_filter ]
// A comma or nothing means "and" and takes the whole rest: `a, b or c` is `a and (b or c)`.
Result<LabelFilter> Parser::ParseLabelTerm() {
  Result<LabelFilter> term = Unexpected("a label filter");
  if (Accept(TokenKind::kOpenParen)) {
    term = ParseLabelFilter();
    if (term && !Accept(TokenKind::kCloseParen)) return Unexpected("\"and\", \"or\" or \")\"");
  } else {
    term = ParseLabelPredicate();
  }
  if (!term) return term;
  bool comma = Accept(TokenKind::kComma);
  bool continues =
      (At(TokenKind::kIdentifier) && !AtWord("and") && !AtWord("or")) || At(TokenKind::kOpenParen);
  if (!comma && !continues) return term;
  auto rest = ParseLabelFilter();
  if (!rest) return rest;
  std::vector<LabelFilter> others;
  others.push_back(*std::move(rest));
  return JoinTerms<LabelAllOf>(*std::move(term), std::move(others));
}

// predicate = matcher | IDENT comparison ( NUMBER | DURATION | BYTES )
Result<LabelFilter> Parser::ParseLabelPredicate() {
  auto name = Expect(TokenKind::kIdentifier);
  if (!name) return std::move(name).error();
  TokenKind op = Peek().kind;
  if (!MatcherOp(op) && !LabelCompareOp(op)) {
    return Unexpected("a comparison such as \"=\", \"!=\", \"=~\", \"!~\", \">\" or \"<=\"");
  }
  Next();
  if (AtWord("ip") && Peek(1).kind == TokenKind::kOpenParen) return Unsupported(Peek(), "ip");
  if (MatcherOp(op) && At(TokenKind::kString)) {
    Matcher matcher{std::string(name->text), *MatcherOp(op), Next().value};
    if (auto valid = CheckRegex(matcher); !valid) return std::move(valid).error();
    return LabelFilter{std::move(matcher)};
  }
  if (!LabelCompareOp(op)) return Unexpected(TokenKindName(TokenKind::kString));
  LabelComparison comparison{std::string(name->text), *LabelCompareOp(op), 0.0};
  bool negative = Accept(TokenKind::kMinus);
  if (At(TokenKind::kNumber)) {
    double number = Next().number;
    comparison.value = negative ? -number : number;
  } else if (At(TokenKind::kDuration)) {
    std::chrono::nanoseconds duration = Next().duration;
    comparison.value = negative ? -duration : duration;
  } else if (At(TokenKind::kBytes) && !negative) {
    comparison.value = ByteSize{Next().number};
  } else {
    return Unexpected(MatcherOp(op) ? "string, number, duration or size"
                                    : "number, duration or size");
  }
  return LabelFilter{std::move(comparison)};
}

}  // namespace dunlin::logql
