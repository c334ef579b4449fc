#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/label_set.h"

namespace dunlin::store {

/// One entry on its way into the store; indexes refer to the RowBatch it is in.
struct Row {
  std::int64_t time_ns = 0;
  std::uint32_t stream = 0;    // in RowBatch::streams
  std::uint32_t metadata = 0;  // in RowBatch::metadata; 0 is the empty set
  std::string_view line;       // any bytes; points into memory that outlives the batch's use
};

/// Decoded entries in order of arrival. `text` is memory for lines to point into when nothing else
/// holds them. Batches are moved from thread to thread, and a short std::string moves its bytes: a
/// string that lines point into is given room for 32 bytes or more before the first of them.
struct RowBatch {
  std::vector<LabelSet> streams;
  std::vector<LabelSet> metadata{LabelSet{}};
  std::vector<Row> rows;
  std::string text;
};

}  // namespace dunlin::store
