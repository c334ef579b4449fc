#include "protocol/base/check.h"

#include <cstdio>
#include <cstdlib>

#include "protocol/base/log.h"

namespace dunlin {

void Check(bool condition, const char* what, std::source_location where) {
  if (condition) [[likely]] {
    return;
  }
  dprintf(log::Descriptor(), "%s:%u: %s: check failed: %s\n", where.file_name(), where.line(),
          where.function_name(), what);
  std::abort();
}

}  // namespace dunlin
