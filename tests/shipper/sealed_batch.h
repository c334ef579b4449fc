#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/wire/batch.h"
#include "protocol/wire/frame.h"
#include "shipper/queue.h"
#include "tests/support/batch_frame.h"
#include "tests/support/catch.h"

namespace dunlin::shipper {

/// A sealed batch of `lines` lines on `output`, each of `line_bytes` bytes.
inline SealedBatch MakeBatch(std::uint64_t lines, std::size_t line_bytes = 10,
                             wire::Output output = wire::Output::kStdout,
                             std::int64_t time_ns = 1000, std::uint64_t sequence = 1) {
  wire::Columns columns;
  columns.runs.push_back({output, static_cast<std::uint32_t>(lines), time_ns});
  std::uint64_t state = lines * 31 + line_bytes;
  for (std::uint64_t i = 0; i < lines; ++i) {
    for (std::size_t b = 0; b < line_bytes; ++b) {
      // Not compressible, so that a batch has about the size of its lines.
      state = state * 6364136223846793005U + 1442695040888963407U;
      columns.lines.push_back(static_cast<char>('!' + (state >> 33) % 90));
    }
    columns.lines.push_back('\n');
    columns.line_lengths.push_back(static_cast<std::uint32_t>(line_bytes));
  }
  SealedBatch batch;
  static wire::BatchEncoder encoder;
  wire::BatchHeader header;
  header.sequence = batch.sequence = sequence;
  batch.frame = testing::BatchFrame(encoder, header, columns);
  batch.totals[IndexOf(output)] = {lines, lines * line_bytes,
                                   time_ns + static_cast<std::int64_t>(lines) - 1};
  return batch;
}

/// The batch in a whole frame.
inline wire::BatchView DecodeFrame(std::string_view frame) {
  wire::FrameReader reader;
  reader.Feed(frame);
  auto read = reader.Next();
  REQUIRE(read);
  REQUIRE(*read);
  REQUIRE((*read)->type == wire::FrameType::kBatch);
  // The payload lies in `frame` behind its header.
  auto batch = wire::DecodeBatch(frame.substr(wire::kFrameHeaderBytes));
  REQUIRE(batch);
  return *batch;
}

/// The same as the next batch of `queue`, with the markers that wait for one.
inline void PushBatch(Queue& queue, std::uint64_t lines, std::size_t line_bytes = 10,
                      wire::Output output = wire::Output::kStdout, std::int64_t time_ns = 1000) {
  SealedBatch batch = MakeBatch(lines, line_bytes, output, time_ns, queue.next_sequence());
  if (queue.has_marks()) {
    wire::BatchView view = DecodeFrame(batch.frame);
    view.header.gaps = batch.gaps = queue.TakeMarks();
    std::string frame;
    wire::AppendBatchFrame(frame, view);
    batch.frame = std::move(frame);
  }
  queue.Push(std::move(batch));
}

}  // namespace dunlin::shipper
