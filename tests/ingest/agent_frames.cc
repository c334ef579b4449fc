#include "tests/ingest/agent_frames.h"

#include "protocol/base/text.h"
#include "tests/support/batch_frame.h"
#include "tests/support/catch.h"

namespace dunlin::ingest {
namespace {

std::string DescribeFrame(const wire::Frame& frame) {
  switch (frame.type) {
    case wire::FrameType::kWelcome:
      return Join("welcome next=", wire::DecodeWelcome(frame.payload)->next_sequence);
    case wire::FrameType::kAck:
      return Join("ack ", wire::DecodeAck(frame.payload)->sequence);
    case wire::FrameType::kReject: {
      auto reject = wire::DecodeReject(frame.payload);
      return Join("reject ", reject->sequence, ": ", reject->reason);
    }
    case wire::FrameType::kSlowDown:
      return "slow down: " + wire::DecodeSlowDown(frame.payload)->reason;
    case wire::FrameType::kGoodbye: {
      auto goodbye = wire::DecodeGoodbye(frame.payload);
      return Join("goodbye: ", goodbye->reason, goodbye->retry ? " (retry)" : " (final)");
    }
    case wire::FrameType::kPing:
      return "ping";
    case wire::FrameType::kPong:
      return Join("pong ", wire::DecodePong(frame.payload)->nonce);
    case wire::FrameType::kHello:
    case wire::FrameType::kBatch:
    case wire::FrameType::kMetrics:
      return "a frame of an agent";
  }
  return "";
}

}  // namespace

wire::Hello HelloOf(std::string_view service, std::uint8_t id) {
  wire::Hello hello;
  hello.agent_version = "0.1.0";
  hello.agent_id.fill(id);
  hello.boot_id.fill(static_cast<std::uint8_t>(id + 100));
  hello.project = "shop";
  hello.service = service;
  hello.deployment = "v1";
  hello.container = Join(service, "-1");
  hello.host = "node";
  return hello;
}

std::string PrefaceAndHello(const wire::Hello& hello) {
  return std::string(wire::kPreface) + FrameOf(wire::FrameType::kHello, hello);
}

std::string BatchFrame(std::uint64_t sequence, const std::vector<std::string>& lines,
                       std::int64_t time_ns) {
  wire::Columns columns;
  for (const std::string& line : lines) {
    columns.line_lengths.push_back(static_cast<std::uint32_t>(line.size()));
    columns.lines += line + "\n";
  }
  if (!lines.empty()) {
    columns.runs.push_back(
        {wire::Output::kStdout, static_cast<std::uint32_t>(lines.size()), time_ns});
  }
  wire::BatchHeader header;
  header.sequence = sequence;
  return testing::BatchFrame(header, columns);
}

std::string RangeFrame(std::uint64_t first, std::uint64_t last) {
  wire::BatchView batch;
  batch.header.sequence = last;
  batch.header.first_sequence = first;
  batch.header.gaps = {{1'735'689'600'000'000'000, wire::Output::kStdout, 5, 50, "mem_full"}};
  std::string out;
  wire::AppendBatchFrame(out, batch);
  return out;
}

std::string MalformedBatchFrame() {
  std::string out;
  wire::AppendFrame(out, wire::FrameType::kBatch, "\xFF\xFF\xFF\xFF");
  return out;
}

std::vector<std::string> Describe(std::string_view bytes) {
  std::vector<std::string> words;
  wire::FrameReader reader;
  reader.Feed(bytes);
  for (;;) {
    auto frame = reader.Next();
    REQUIRE(frame);
    if (!*frame) return words;
    words.push_back(DescribeFrame(**frame));
  }
}

}  // namespace dunlin::ingest
