#include "collector/logql/pipeline.h"

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "collector/logql/literals.h"
#include "collector/logql/regex.h"
#include "collector/logql/selector.h"
#include "protocol/base/text.h"

namespace dunlin::logql {
namespace {

re2::StringPiece Piece(std::string_view text) { return {text.data(), text.size()}; }

/// One of several texts or expressions occurs in the line, or, negated, none does.
class LineCondition {
 public:
  static Result<LineCondition> Compile(const LineFilterStage& stage) {
    LineCondition condition;
    condition.negated_ =
        stage.op == LineFilter::Op::kNotContains || stage.op == LineFilter::Op::kNotRegex;
    if (stage.op == LineFilter::Op::kContains || stage.op == LineFilter::Op::kNotContains) {
      condition.texts_ = stage.patterns;
      return condition;
    }
    for (const std::string& pattern : stage.patterns) {
      auto regex = CompileRegex(pattern, RegexUse::kLine);
      if (!regex) return std::move(regex).error();
      condition.regexes_.push_back(*std::move(regex));
    }
    return condition;
  }

  bool Holds(std::string_view line) const { return Occurs(line) != negated_; }

 private:
  bool Occurs(std::string_view line) const {
    for (const std::string& text : texts_) {
      if (memmem(line.data(), line.size(), text.data(), text.size()) != nullptr) return true;
      if (text.empty()) return true;  // also in a line without an address
    }
    for (const auto& regex : regexes_) {
      if (re2::RE2::PartialMatch(Piece(line), *regex)) return true;
    }
    return false;
  }

  bool negated_ = false;
  std::vector<std::string> texts_;
  std::vector<std::unique_ptr<const re2::RE2>> regexes_;
};

template <typename T>
bool Holds(CompareOp op, T a, T b) {
  switch (op) {
    case CompareOp::kEqual:
      return a == b;
    case CompareOp::kNotEqual:
      return a != b;
    case CompareOp::kGreater:
      return a > b;
    case CompareOp::kGreaterEqual:
      return a >= b;
    case CompareOp::kLess:
      return a < b;
    case CompareOp::kLessEqual:
      return a <= b;
  }
  return false;
}

/// The answer of `comparison` for a label's text, or nothing when the text is not of its kind.
std::optional<bool> Compare(const LabelComparison& comparison, std::string_view text) {
  if (const double* want = std::get_if<double>(&comparison.value)) {
    auto number = ReadNumber(text);
    if (!number) return std::nullopt;
    return Holds(comparison.op, *number, *want);
  }
  if (const auto* want = std::get_if<std::chrono::nanoseconds>(&comparison.value)) {
    auto duration = ReadGoDuration(text);
    if (!duration) return std::nullopt;
    return Holds(comparison.op, *duration, *want);
  }
  auto size = ReadByteSize(text);
  if (!size) return std::nullopt;
  return Holds(comparison.op, *size, std::get<ByteSize>(comparison.value).bytes);
}

std::string_view KindOf(const LabelComparison& comparison) {
  if (std::holds_alternative<double>(comparison.value)) return "number";
  if (std::holds_alternative<ByteSize>(comparison.value)) return "size";
  return "duration";
}

/// A label filter ready to run: the same tree with compiled matchers as leaves.
class LabelCondition {
 public:
  static Result<LabelCondition> Compile(const LabelFilter& filter) {
    LabelCondition condition;
    if (const Matcher* matcher = std::get_if<Matcher>(&filter.node)) {
      auto compiled = CompiledMatcher::Compile(*matcher);
      if (!compiled) return std::move(compiled).error();
      condition.node_ = *std::move(compiled);
    } else if (const auto* comparison = std::get_if<LabelComparison>(&filter.node)) {
      condition.node_ = *comparison;
    } else {
      const auto* all = std::get_if<LabelAllOf>(&filter.node);
      const auto& terms = all != nullptr ? all->terms : std::get<LabelAnyOf>(filter.node).terms;
      Combination combination{/*wants_all=*/all != nullptr, {}};
      for (const LabelFilter& term : terms) {
        auto compiled = Compile(term);
        if (!compiled) return compiled;
        combination.terms.push_back(*std::move(compiled));
      }
      condition.node_ = std::move(combination);
    }
    return condition;
  }

  bool Holds(EntryLabels& labels) const {
    if (const auto* matcher = std::get_if<CompiledMatcher>(&node_)) {
      return matcher->Matches(labels.Get(matcher->name()));
    }
    if (const auto* comparison = std::get_if<LabelComparison>(&node_)) {
      return HoldsFor(*comparison, labels);
    }
    const auto& combination = std::get<Combination>(node_);
    for (const LabelCondition& term : combination.terms) {
      if (term.Holds(labels) != combination.wants_all) return !combination.wants_all;
    }
    return combination.wants_all;
  }

 private:
  struct Combination {
    bool wants_all;
    std::vector<LabelCondition> terms;
  };

  LabelCondition() : node_(Combination{/*wants_all=*/true, {}}) {}

  static bool HoldsFor(const LabelComparison& comparison, EntryLabels& labels) {
    // An entry that carries a fault keeps it for later stages to see: comparing is over for it.
    if (!labels.Get("__error__").empty()) return true;
    std::string_view text = labels.Get(comparison.name);
    if (text.empty()) return false;
    if (auto holds = Compare(comparison, text)) return *holds;
    std::string details = Join(comparison.name, "=", Quote(text), " is not a ", KindOf(comparison));
    labels.SetParsed("__error__", "LabelFilterErr");
    labels.SetParsed("__error_details__", details);
    return true;
  }

  std::variant<CompiledMatcher, LabelComparison, Combination> node_;
};

/// Removes labels, some only when their value satisfies a condition.
class Removal {
 public:
  static Result<Removal> Compile(const DropStage& stage) {
    Removal removal;
    for (const LabelSelection& label : stage.labels) {
      removal.labels_.push_back({label.name, std::nullopt});
      if (!label.condition) continue;
      auto compiled = CompiledMatcher::Compile(*label.condition);
      if (!compiled) return std::move(compiled).error();
      removal.labels_.back().condition = *std::move(compiled);
    }
    return removal;
  }

  void Apply(EntryLabels& labels) const {
    for (const Label& label : labels_) {
      if (!label.condition || label.condition->Matches(labels.Get(label.name))) {
        labels.Remove(label.name);
      }
    }
  }

 private:
  struct Label {
    std::string name;
    std::optional<CompiledMatcher> condition;
  };

  std::vector<Label> labels_;
};

using Step = std::variant<LineCondition, LabelCondition, Removal>;

template <typename Compiled>
Result<Step> AsStep(Result<Compiled> compiled) {
  if (!compiled) return std::move(compiled).error();
  return Step(*std::move(compiled));
}

Result<Step> CompileStage(const LineFilterStage& stage) {
  return AsStep(LineCondition::Compile(stage));
}
Result<Step> CompileStage(const LabelFilter& stage) {
  return AsStep(LabelCondition::Compile(stage));
}
Result<Step> CompileStage(const DropStage& stage) { return AsStep(Removal::Compile(stage)); }

}  // namespace

struct Pipeline::Program {
  std::vector<Step> steps;
};

Pipeline::Pipeline(std::unique_ptr<const Program> program) : program_(std::move(program)) {}
Pipeline::Pipeline(Pipeline&&) noexcept = default;
Pipeline& Pipeline::operator=(Pipeline&&) noexcept = default;
Pipeline::~Pipeline() = default;

Result<Pipeline> Pipeline::Compile(const std::vector<Stage>& stages) {
  auto program = std::make_unique<Program>();
  for (const Stage& stage : stages) {
    auto step = std::visit([](const auto& one) { return CompileStage(one); }, stage);
    if (!step) return std::move(step).error();
    program->steps.push_back(*std::move(step));
  }
  return Pipeline(std::move(program));
}

bool Pipeline::Process(const Entry& entry, ProcessedEntry& out) const {
  out.line = entry.line;
  out.labels.Reset(entry.stream, entry.metadata);
  for (const Step& step : program_->steps) {
    if (const auto* line = std::get_if<LineCondition>(&step)) {
      if (!line->Holds(out.line)) return false;
    } else if (const auto* label = std::get_if<LabelCondition>(&step)) {
      if (!label->Holds(out.labels)) return false;
    } else {
      std::get<Removal>(step).Apply(out.labels);
    }
  }
  return true;
}

}  // namespace dunlin::logql
