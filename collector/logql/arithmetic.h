#pragma once

#include "collector/logql/ast.h"

namespace dunlin::logql {

bool IsComparison(BinaryOp op);

/// `a op b`; comparisons give 1 or 0. Division and remainder by zero are NaN.
double Compute(BinaryOp op, double a, double b);

}  // namespace dunlin::logql
