#include "protocol/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace dunlin {

void Check(bool condition, const char* what, std::source_location where) {
  if (condition) [[likely]] {
    return;
  }
  std::fprintf(stderr, "%s:%u: %s: check failed: %s\n", where.file_name(), where.line(),
               where.function_name(), what);
  std::abort();
}

}  // namespace dunlin
