#pragma once

#include <string>

#include "protocol/wire/batch.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/messages.h"
#include "tests/support/batch_frame.h"

namespace dunlin::wire {

/// The conversation of docs/wire-format.md, "Example": the agent of one container sends two lines,
/// then a gap.
inline Hello ExampleHello() {
  Hello hello;
  hello.agent_version = "0.1.0";
  for (std::uint8_t i = 0; i < 16; ++i) {
    hello.agent_id[i] = static_cast<std::uint8_t>(0xA0 + i);
    hello.boot_id[i] = static_cast<std::uint8_t>(0xB0 + i);
  }
  hello.project = "shop";
  hello.service = "web";
  hello.deployment = "v7";
  hello.container = "web-1";
  hello.host = "node-3";
  hello.labels = {{"zone", "b"}};
  return hello;
}

inline Welcome ExampleWelcome() {
  Welcome welcome;
  welcome.collector_version = "0.1.0";
  for (std::uint8_t i = 0; i < 16; ++i) {
    welcome.collector_id[i] = static_cast<std::uint8_t>(0xC0 + i);
  }
  welcome.max_frame_bytes = kMaxFramePayloadBytes;
  welcome.max_unacknowledged_batches = 64;
  return welcome;
}

inline BatchHeader ExampleBatchHeader() {
  return {.sequence = 1, .base_monotonic_ns = 5'000'000'000, .gaps = {}};
}

/// "GET /" at stdout and, 1.5 ms later, "slow" at stderr, which ended there without a newline.
inline Columns ExampleColumns() {
  Columns columns;
  columns.runs = {{Output::kStdout, 1, 1'767'225'600'000'000'000},
                  {Output::kStderr, 1, 1'767'225'600'001'500'000}};
  columns.line_lengths = {5, 4};
  columns.lines = "GET /\nslow\n";
  columns.marks = {{.entry = 1, .unterminated = true}};
  return columns;
}

/// Three batches later on that were dropped while there was no connection, in one.
inline BatchView ExampleGap() {
  BatchView batch;
  batch.header.sequence = 4;
  batch.header.first_sequence = 2;
  batch.header.gaps = {{1'767'225'660'000'000'000, Output::kStdout, 300, 4096, "mem_full"}};
  batch.base_time_ns = 1'767'225'660'000'000'000;
  return batch;
}

/// What the agent sends, and what the collector answers.
inline std::string ExampleFromAgent() {
  std::string bytes(kPreface);
  AppendFrame(bytes, FrameType::kHello, Encode(ExampleHello()));
  bytes += testing::BatchFrame(ExampleBatchHeader(), ExampleColumns());
  AppendBatchFrame(bytes, ExampleGap());
  return bytes;
}

inline std::string ExampleFromCollector() {
  std::string bytes;
  AppendFrame(bytes, FrameType::kWelcome, Encode(ExampleWelcome()));
  AppendFrame(bytes, FrameType::kAck, Encode(Ack{4}));
  return bytes;
}

}  // namespace dunlin::wire
