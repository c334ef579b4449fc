#include "protocol/wire/frame.h"

#include <algorithm>

#include "protocol/base/check.h"
#include "protocol/base/checksum.h"
#include "protocol/base/coding.h"
#include "protocol/base/text.h"

namespace dunlin::wire {
namespace {

constexpr std::size_t kTypeOffset = 4;
constexpr std::size_t kFlagsOffset = 5;
constexpr std::size_t kChecksumOffset = 8;

/// A reader that once took a large frame in pieces gives that memory back: a collector has
/// thousands of them, most of them idle.
constexpr std::size_t kKeptBufferBytes = 16_KiB;

/// The checksum covers the payload and, as its seed, the eight bytes before it.
std::uint64_t FrameChecksum(const char* header, std::string_view payload) {
  return Checksum(payload, LoadFixed<std::uint64_t>(header));
}

Error NotAFrame(std::string_view cause) {
  return Error(ErrorCode::kCorruption, Join("cannot read frame: ", cause));
}

/// The payload's length, once the header is one that this version knows.
Result<std::uint32_t> PayloadLength(const char* header, std::uint32_t max_payload_bytes) {
  auto length = LoadFixed<std::uint32_t>(header);
  auto type = static_cast<std::uint8_t>(header[kTypeOffset]);
  auto flags = static_cast<std::uint8_t>(header[kFlagsOffset]);
  if (length > max_payload_bytes) {
    return NotAFrame(
        Join("its length of ", length, " bytes is over the limit of ", max_payload_bytes));
  }
  if (type < static_cast<std::uint8_t>(FrameType::kHello) ||
      type > static_cast<std::uint8_t>(FrameType::kPong)) {
    return NotAFrame(Join("type ", type, " is not known"));
  }
  if (flags != 0) return NotAFrame(Join("flags ", flags, " are not known"));
  return length;
}

Result<std::optional<Frame>> CheckedFrame(const char* header, std::uint32_t length) {
  std::string_view payload(header + kFrameHeaderBytes, length);
  if (LoadFixed<std::uint64_t>(header + kChecksumOffset) != FrameChecksum(header, payload)) {
    return NotAFrame("its checksum does not match");
  }
  return std::optional(Frame{static_cast<FrameType>(header[kTypeOffset]), payload});
}

}  // namespace

void AppendFrame(std::string& out, FrameType type, std::string_view payload) {
  std::size_t begin = BeginFrame(out);
  out += payload;
  EndFrame(out, begin, type);
}

std::size_t BeginFrame(std::string& out) {
  std::size_t begin = out.size();
  out.append(kFrameHeaderBytes, '\0');
  return begin;
}

void EndFrame(std::string& out, std::size_t begin, FrameType type) {
  std::size_t length = out.size() - begin - kFrameHeaderBytes;
  Check(length <= kMaxFramePayloadBytes, "frame payload within its limit");
  char* header = out.data() + begin;
  StoreFixed(header, static_cast<std::uint32_t>(length));
  header[kTypeOffset] = static_cast<char>(type);
  std::string_view payload(header + kFrameHeaderBytes, length);
  StoreFixed(header + kChecksumOffset, FrameChecksum(header, payload));
}

void FrameReader::Feed(std::string_view bytes) {
  Check(fed_.empty() || failed_, "all frames of the last bytes taken before more are offered");
  fed_ = bytes;
}

std::size_t FrameReader::awaited_frame_bytes() const {
  if (buffered_bytes() < kFrameHeaderBytes) return 0;
  return kFrameHeaderBytes + LoadFixed<std::uint32_t>(pending_.data() + consumed_);
}

Result<std::optional<Frame>> FrameReader::Next() {
  if (failed_) return NotAFrame("an earlier one was malformed");
  auto frame = ReadFrame();
  failed_ = !frame;
  return frame;
}

Result<std::optional<Frame>> FrameReader::ReadFrame() {
  if (consumed_ > 0) {
    pending_.clear();
    consumed_ = 0;
    if (pending_.capacity() > kKeptBufferBytes) pending_.shrink_to_fit();
  }
  if (pending_.empty() && fed_.size() >= kFrameHeaderBytes) {
    auto length = PayloadLength(fed_.data(), max_payload_bytes_);
    if (!length) return std::move(length).error();
    std::size_t total = kFrameHeaderBytes + *length;
    if (fed_.size() >= total) {
      auto frame = CheckedFrame(fed_.data(), *length);
      if (frame) fed_.remove_prefix(total);
      return frame;
    }
  }
  if (!TopUp(kFrameHeaderBytes)) return std::optional<Frame>();
  auto length = PayloadLength(pending_.data(), max_payload_bytes_);
  if (!length) return std::move(length).error();
  std::size_t total = kFrameHeaderBytes + *length;
  if (!TopUp(total)) return std::optional<Frame>();
  auto frame = CheckedFrame(pending_.data(), *length);
  if (frame) consumed_ = total;
  return frame;
}

bool FrameReader::TopUp(std::size_t size) {
  if (pending_.size() < size) {
    std::size_t take = std::min(size - pending_.size(), fed_.size());
    pending_.append(fed_.substr(0, take));
    fed_.remove_prefix(take);
  }
  return pending_.size() >= size;
}

}  // namespace dunlin::wire
