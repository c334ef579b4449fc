#include "collector/logql/print.h"

#include <string_view>

#include "collector/logql/binary_ops.h"
#include "collector/logql/literals.h"
#include "protocol/base/text.h"

namespace dunlin::logql {
namespace {

std::string_view Spell(Matcher::Op op) {
  switch (op) {
    case Matcher::Op::kEqual:
      return "=";
    case Matcher::Op::kNotEqual:
      return "!=";
    case Matcher::Op::kRegex:
      return "=~";
    case Matcher::Op::kNotRegex:
      return "!~";
  }
  return "";
}

std::string_view Spell(LineFilter::Op op) {
  switch (op) {
    case LineFilter::Op::kContains:
      return "|=";
    case LineFilter::Op::kNotContains:
      return "!=";
    case LineFilter::Op::kRegex:
      return "|~";
    case LineFilter::Op::kNotRegex:
      return "!~";
  }
  return "";
}

std::string_view Spell(CompareOp op) {
  switch (op) {
    case CompareOp::kEqual:
      return "==";
    case CompareOp::kNotEqual:
      return "!=";
    case CompareOp::kGreater:
      return ">";
    case CompareOp::kGreaterEqual:
      return ">=";
    case CompareOp::kLess:
      return "<";
    case CompareOp::kLessEqual:
      return "<=";
  }
  return "";
}

std::string_view Spell(RangeOp op) {
  switch (op) {
    case RangeOp::kCountOverTime:
      return "count_over_time";
    case RangeOp::kRate:
      return "rate";
    case RangeOp::kBytesOverTime:
      return "bytes_over_time";
    case RangeOp::kBytesRate:
      return "bytes_rate";
  }
  return "";
}

std::string_view Spell(VectorOp op) {
  switch (op) {
    case VectorOp::kSum:
      return "sum";
    case VectorOp::kAvg:
      return "avg";
    case VectorOp::kMin:
      return "min";
    case VectorOp::kMax:
      return "max";
    case VectorOp::kCount:
      return "count";
  }
  return "";
}

/// Appends the canonical text of each node it visits.
class Printer {
 public:
  std::string Take() { return std::move(out_); }

  void Selector(const std::vector<Matcher>& matchers) {
    out_ += "{";
    List(matchers, [this](const Matcher& matcher) { (*this)(matcher); });
    out_ += "}";
  }

  void operator()(const Matcher& matcher) {
    out_ += matcher.name;
    out_ += Spell(matcher.op);
    out_ += Quote(matcher.value);
  }

  void operator()(const LogQuery& query) {
    Selector(query.selector);
    for (const Stage& stage : query.stages) {
      out_ += " ";
      std::visit(*this, stage);
    }
  }

  void operator()(const LineFilterStage& stage) {
    out_ += Spell(stage.op);
    std::string_view separator = " ";
    for (const std::string& pattern : stage.patterns) {
      out_ += separator;
      out_ += Quote(pattern);
      separator = " or ";
    }
  }

  void operator()(const LabelFilter& filter) {
    out_ += "| ";
    Filter(filter);
  }

  void operator()(const DropStage& stage) {
    out_ += "| drop ";
    List(stage.labels, [this](const LabelSelection& label) {
      if (label.condition) {
        (*this)(*label.condition);
      } else {
        out_ += label.name;
      }
    });
  }

  void operator()(const LabelComparison& comparison) {
    out_ += comparison.name;
    out_ += " ";
    out_ += Spell(comparison.op);
    out_ += " ";
    if (const double* number = std::get_if<double>(&comparison.value)) {
      AppendNumberLiteral(out_, *number);
    } else if (const auto* duration = std::get_if<std::chrono::nanoseconds>(&comparison.value)) {
      AppendDurationLiteral(out_, *duration);
    } else {
      AppendDouble(out_, std::get<ByteSize>(comparison.value).bytes);
      out_ += "B";
    }
  }

  void operator()(const LabelAllOf& list) {
    std::string_view separator;
    for (const LabelFilter& term : list.terms) {
      out_ += separator;
      bool looser = std::holds_alternative<LabelAnyOf>(term.node);
      if (looser) out_ += "(";
      Filter(term);
      if (looser) out_ += ")";
      separator = " and ";
    }
  }

  void operator()(const LabelAnyOf& list) {
    std::string_view separator;
    for (const LabelFilter& term : list.terms) {
      out_ += separator;
      Filter(term);
      separator = " or ";
    }
  }

  void operator()(const MetricQuery& query) { std::visit(*this, query.node); }

  void operator()(const RangeAggregation& aggregation) {
    out_ += Spell(aggregation.op);
    out_ += "(";
    (*this)(aggregation.log_range.query);
    out_ += aggregation.log_range.query.stages.empty() ? "[" : " [";
    AppendDurationLiteral(out_, aggregation.log_range.range);
    out_ += "]";
    if (aggregation.log_range.offset.count() != 0) {
      out_ += " offset ";
      AppendDurationLiteral(out_, aggregation.log_range.offset);
    }
    out_ += ")";
  }

  void operator()(const VectorAggregation& aggregation) {
    out_ += Spell(aggregation.op);
    if (aggregation.grouping) {
      out_ += aggregation.grouping->kind == Grouping::Kind::kBy ? " by (" : " without (";
      List(aggregation.grouping->labels, [this](const std::string& label) { out_ += label; });
      out_ += ") ";
    }
    out_ += "(";
    (*this)(*aggregation.operand);
    out_ += ")";
  }

  void operator()(const BinaryOperation& operation) {
    bool right_associative = IsRightAssociative(operation.op);
    Operand(*operation.left, Precedence(operation.op) + (right_associative ? 1 : 0));
    out_ += " ";
    out_ += Spelling(operation.op);
    out_ += operation.return_bool ? " bool " : " ";
    Operand(*operation.right, Precedence(operation.op) + (right_associative ? 0 : 1));
  }

  void operator()(const Number& number) { AppendNumberLiteral(out_, number.value); }

  void operator()(const ConstantVector& vector) {
    out_ += "vector(";
    AppendNumberLiteral(out_, vector.value);
    out_ += ")";
  }

 private:
  void Filter(const LabelFilter& filter) { std::visit(*this, filter.node); }

  void Operand(const MetricQuery& operand, int min_precedence) {
    const auto* operation = std::get_if<BinaryOperation>(&operand.node);
    bool looser = operation != nullptr && Precedence(operation->op) < min_precedence;
    if (looser) out_ += "(";
    (*this)(operand);
    if (looser) out_ += ")";
  }

  template <typename T, typename PrintOne>
  void List(const std::vector<T>& elements, PrintOne print_one) {
    std::string_view separator;
    for (const T& element : elements) {
      out_ += separator;
      print_one(element);
      separator = ", ";
    }
  }

  std::string out_;
};

}  // namespace

std::string Print(const LogQuery& query) {
  Printer printer;
  printer(query);
  return printer.Take();
}

std::string Print(const MetricQuery& query) {
  Printer printer;
  printer(query);
  return printer.Take();
}

std::string Print(const Query& query) {
  return std::visit([](const auto& one) { return Print(one); }, query);
}

std::string Print(const std::vector<Matcher>& selector) {
  Printer printer;
  printer.Selector(selector);
  return printer.Take();
}

}  // namespace dunlin::logql
