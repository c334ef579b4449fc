// Searches for literals in the blocks of filter_bench, with each of several sets of filters.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/filter_bench_blocks.h"

namespace dunlin::store::filter_bench {

struct Needles {
  const char* kind;
  std::vector<std::string> literals;
};

/// Literals of several kinds. `sample` are values that occur.
std::vector<Needles> MakeNeedles(const std::vector<std::string>& sample, int of_each);

/// What each set of filters saves each kind of literal.
void PrintQueries(const Blocks& all);

}  // namespace dunlin::store::filter_bench
