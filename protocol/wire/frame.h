#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/base/units.h"

namespace dunlin::wire {

/// docs/wire-format.md, "Frames". An agent opens a connection with these eight bytes, then frames
/// follow both ways.
inline constexpr std::string_view kPreface{"DUNLIN\x01\n", 8};

inline constexpr std::size_t kFrameHeaderBytes = 16;
/// A batch holds one line of 1 MiB at worst; twice that leaves room for incompressible bytes and
/// columns.
inline constexpr std::uint32_t kMaxFramePayloadBytes = 4_MiB;

/// The largest Hello that anybody needs: 30 labels of the longest names and values are 36 KiB.
/// Until it has come its sender is a stranger, who is not to cost memory.
inline constexpr std::uint32_t kMaxHelloBytes = 64_KiB;

enum class FrameType : std::uint8_t {
  kHello = 1,
  kWelcome = 2,
  kBatch = 3,
  kAck = 4,
  kReject = 5,
  kSlowDown = 6,
  kGoodbye = 7,
  kMetrics = 8,
  kPing = 9,
  kPong = 10,
};

/// One frame; the payload is a view into the reader's or file's bytes.
struct Frame {
  FrameType type;
  std::string_view payload;
};

/// Appends header (length, type, flags, checksum) and payload.
void AppendFrame(std::string& out, FrameType type, std::string_view payload);

/// For a payload built in place: reserves the header at the end of `out` and returns where;
/// EndFrame fills it in.
std::size_t BeginFrame(std::string& out);
void EndFrame(std::string& out, std::size_t begin, FrameType type);

/// Cuts a byte stream into frames. Copies only bytes of frames that arrive in pieces.
class FrameReader {
 public:
  explicit FrameReader(std::uint32_t max_payload_bytes = kMaxFramePayloadBytes)
      : max_payload_bytes_(max_payload_bytes) {}

  /// From the next frame on. One that has begun to come under the old limit is held to that.
  void SetLimit(std::uint32_t max_payload_bytes) { max_payload_bytes_ = max_payload_bytes; }

  /// Offers the next bytes of the stream. They stay valid and unchanged until Next() has answered
  /// nothing.
  void Feed(std::string_view bytes);

  /// The next whole frame, nothing when more bytes are needed, kCorruption when the stream is not
  /// frames (bad checksum, unknown type, over-long); the reader is then done. A frame's payload is
  /// valid until the next call of Feed or Next.
  Result<std::optional<Frame>> Next();

  std::size_t buffered_bytes() const { return pending_.size() - consumed_; }
  /// How large the frame is that has not come whole; 0 until it says so.
  std::size_t awaited_frame_bytes() const;

 private:
  /// Moves fed bytes to the kept ones until there are `size` of them; false when they run out.
  bool TopUp(std::size_t size);
  Result<std::optional<Frame>> ReadFrame();

  std::uint32_t max_payload_bytes_;
  std::string pending_;       // bytes kept from earlier Feeds
  std::size_t consumed_ = 0;  // of pending_: all of it once its frame was handed out
  std::string_view fed_;      // bytes of the last Feed not yet used
  bool failed_ = false;
};

}  // namespace dunlin::wire
