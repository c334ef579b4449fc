#include "collector/logql/arithmetic.h"

#include <cmath>
#include <limits>

namespace dunlin::logql {

bool IsComparison(BinaryOp op) { return op >= BinaryOp::kEqual; }

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
