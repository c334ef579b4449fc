#include "collector/logql/binary_ops.h"

#include <cmath>
#include <cstddef>
#include <limits>

namespace dunlin::logql {

namespace {

struct Row {
  BinaryOp op;
  int precedence;
  std::string_view spelling;
};

// In the order of the enumeration.
constexpr Row kRows[] = {
    {BinaryOp::kAdd, 2, "+"},      {BinaryOp::kSubtract, 2, "-"},
    {BinaryOp::kMultiply, 3, "*"}, {BinaryOp::kDivide, 3, "/"},
    {BinaryOp::kModulo, 3, "%"},   {BinaryOp::kPower, 4, "^"},
    {BinaryOp::kEqual, 1, "=="},   {BinaryOp::kNotEqual, 1, "!="},
    {BinaryOp::kGreater, 1, ">"},  {BinaryOp::kGreaterEqual, 1, ">="},
    {BinaryOp::kLess, 1, "<"},     {BinaryOp::kLessEqual, 1, "<="},
};

const Row& RowOf(BinaryOp op) { return kRows[static_cast<std::size_t>(op)]; }

}  // namespace

std::string_view Spelling(BinaryOp op) { return RowOf(op).spelling; }

std::optional<BinaryOp> FindBinaryOp(std::string_view spelling) {
  for (const Row& row : kRows) {
    if (row.spelling == spelling) return row.op;
  }
  return std::nullopt;
}

int Precedence(BinaryOp op) { return RowOf(op).precedence; }

bool IsRightAssociative(BinaryOp op) { return op == BinaryOp::kPower; }

bool IsComparison(BinaryOp op) { return Precedence(op) == Precedence(BinaryOp::kEqual); }

double Compute(BinaryOp op, double a, double b) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  switch (op) {
    case BinaryOp::kAdd:
      return a + b;
    case BinaryOp::kSubtract:
      return a - b;
    case BinaryOp::kMultiply:
      return a * b;
    case BinaryOp::kDivide:
      return b == 0 ? kNan : a / b;
    case BinaryOp::kModulo:
      return b == 0 ? kNan : std::fmod(a, b);
    case BinaryOp::kPower:
      return std::pow(a, b);
    case BinaryOp::kEqual:
      return a == b;
    case BinaryOp::kNotEqual:
      return a != b;
    case BinaryOp::kGreater:
      return a > b;
    case BinaryOp::kGreaterEqual:
      return a >= b;
    case BinaryOp::kLess:
      return a < b;
    case BinaryOp::kLessEqual:
      return a <= b;
  }
  return kNan;
}

}  // namespace dunlin::logql
