#pragma once

#include <cstring>
#include <string>

#include "protocol/wire/batch.h"
#include "protocol/wire/lines_buffer.h"

namespace dunlin::testing {

/// The whole kBatch frame of columns that hold their lines themselves, as those of a decoder do and
/// those of a sender do not.
inline std::string BatchFrame(wire::BatchEncoder& encoder, const wire::BatchHeader& header,
                              const wire::Columns& columns) {
  wire::LinesBuffer lines;
  lines.Reserve(columns.lines.size(), 0);
  if (!columns.lines.empty()) {
    std::memcpy(lines.data(), columns.lines.data(), columns.lines.size());
  }
  std::string frame;
  wire::AppendBatchFrame(frame, encoder.Encode(header, columns, lines, columns.lines.size()));
  return frame;
}

inline std::string BatchFrame(const wire::BatchHeader& header, const wire::Columns& columns) {
  wire::BatchEncoder encoder;
  return BatchFrame(encoder, header, columns);
}

}  // namespace dunlin::testing
