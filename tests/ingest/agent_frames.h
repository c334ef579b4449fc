#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/wire/batch.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/messages.h"

namespace dunlin::ingest {

/// What an agent sends, for tests that play one.
wire::Hello HelloOf(std::string_view service, std::uint8_t id = 1);
std::string PrefaceAndHello(const wire::Hello& hello);
/// A batch of stdout lines, the first at `time_ns`.
std::string BatchFrame(std::uint64_t sequence, const std::vector<std::string>& lines,
                       std::int64_t time_ns = 1'735'689'600'000'000'000);
/// A batch without lines that stands for `first` to `last`.
std::string RangeFrame(std::uint64_t first, std::uint64_t last);
/// A frame that is whole while its batch is not.
std::string MalformedBatchFrame();

/// One frame for any message but a batch.
template <typename Message>
std::string FrameOf(wire::FrameType type, const Message& message);

/// The frames in `bytes` in words: "welcome next=1", "ack 3", "reject 2: why", "goodbye: why
/// (retry)".
std::vector<std::string> Describe(std::string_view bytes);

template <typename Message>
std::string FrameOf(wire::FrameType type, const Message& message) {
  std::string out;
  wire::AppendFrame(out, type, wire::Encode(message));
  return out;
}

}  // namespace dunlin::ingest
