#pragma once

#include <optional>
#include <string_view>

#include "collector/logql/ast.h"

namespace dunlin::logql {

/// The operator as it is written: "+", ">=".
std::string_view Spelling(BinaryOp op);
/// The operator of that spelling, or nothing.
std::optional<BinaryOp> FindBinaryOp(std::string_view spelling);

/// Higher binds tighter.
int Precedence(BinaryOp op);
/// a ^ b ^ c is a ^ (b ^ c); all others group from the left.
bool IsRightAssociative(BinaryOp op);
bool IsComparison(BinaryOp op);

/// `a op b`; comparisons give 1 or 0. Division and remainder by zero are NaN.
double Compute(BinaryOp op, double a, double b);

}  // namespace dunlin::logql
