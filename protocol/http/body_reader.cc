#include "protocol/http/body_reader.h"

#include <algorithm>

namespace dunlin::http {
namespace {

/// A size of more digits is either padding or beyond any limit.
constexpr unsigned kMaxSizeDigits = 16;

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

BodyReader BodyReader::Sized(std::uint64_t bytes, std::size_t max_body_bytes) {
  BodyReader reader;
  reader.max_body_bytes_ = max_body_bytes;
  reader.left_ = bytes;
  if (bytes > max_body_bytes) {
    reader.Fail(413, "the body is larger than this server takes");
  } else if (bytes > 0) {
    reader.state_ = State::kSized;
  }
  return reader;
}

BodyReader BodyReader::Chunked(ParserLimits limits) {
  BodyReader reader;
  reader.state_ = State::kChunkSize;
  reader.max_body_bytes_ = limits.body_bytes;
  reader.max_ignored_bytes_ = limits.header_bytes;
  return reader;
}

BodyReader BodyReader::UntilClose(std::size_t max_body_bytes) {
  BodyReader reader;
  reader.state_ = State::kUntilClose;
  reader.max_body_bytes_ = max_body_bytes;
  return reader;
}

std::size_t BodyReader::Feed(std::string_view bytes, std::string& body) {
  std::size_t used = 0;
  while (used < bytes.size() && state_ != State::kComplete && state_ != State::kFailed) {
    bool data =
        state_ == State::kSized || state_ == State::kChunkData || state_ == State::kUntilClose;
    if (data) {
      used += TakeData(bytes.substr(used), body);
    } else {
      TakeFramingByte(bytes[used++]);
    }
  }
  return used;
}

std::size_t BodyReader::TakeData(std::string_view bytes, std::string& body) {
  if (state_ == State::kUntilClose) {
    left_ = bytes.size();
    if (left_ > max_body_bytes_) {
      Fail(413, "the body is too large");
      return 0;
    }
  }
  auto take = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  body.append(bytes.substr(0, take));
  left_ -= take;
  max_body_bytes_ -= take;
  if (left_ == 0 && state_ == State::kSized) state_ = State::kComplete;
  if (left_ == 0 && state_ == State::kChunkData) state_ = State::kChunkDataEnd;
  return take;
}

void BodyReader::TakeFramingByte(char byte) {
  switch (state_) {
    case State::kChunkSize:
      TakeSizeByte(byte);
      break;
    case State::kChunkExtension:
      if (byte == '\r') {
        state_ = State::kChunkSizeEnd;
      } else if (byte == '\n') {
        Fail(400, "a chunk extension ends without a carriage return");
      } else {
        Ignore();
      }
      break;
    case State::kChunkSizeEnd:
      Expect(byte, '\n', left_ == 0 ? State::kTrailerStart : State::kChunkData);
      size_digits_ = 0;
      break;
    case State::kChunkDataEnd:
      Expect(byte, '\r', State::kChunkDataLineEnd);
      break;
    case State::kChunkDataLineEnd:
      Expect(byte, '\n', State::kChunkSize);
      break;
    case State::kTrailerStart:
      if (byte == '\r') {
        state_ = State::kLastLineEnd;
        break;
      }
      state_ = State::kTrailer;
      [[fallthrough]];
    case State::kTrailer:
      if (byte == '\r') {
        state_ = State::kTrailerEnd;
      } else if (byte == '\n') {
        Fail(400, "a trailer line ends without a carriage return");
      } else {
        Ignore();
      }
      break;
    case State::kTrailerEnd:
      Expect(byte, '\n', State::kTrailerStart);
      break;
    case State::kLastLineEnd:
      Expect(byte, '\n', State::kComplete);
      break;
    case State::kComplete:
    case State::kSized:
    case State::kUntilClose:
    case State::kChunkData:
    case State::kFailed:
      break;
  }
}

void BodyReader::TakeSizeByte(char byte) {
  if (int digit = HexValue(byte); digit >= 0) {
    if (++size_digits_ > kMaxSizeDigits) return Fail(400, "a chunk size has too many digits");
    left_ = left_ << 4 | static_cast<unsigned>(digit);
    return;
  }
  if (size_digits_ == 0) return Fail(400, "a chunk does not start with its size in hexadecimal");
  if (left_ > max_body_bytes_) return Fail(413, "the body is larger than this server takes");
  if (byte == '\r') {
    state_ = State::kChunkSizeEnd;
  } else if (byte == ';' || byte == ' ' || byte == '\t') {
    state_ = State::kChunkExtension;
    Ignore();
  } else {
    Fail(400, "a chunk size is not hexadecimal");
  }
}

void BodyReader::Expect(char byte, char wanted, State next) {
  if (byte != wanted) return Fail(400, "a chunk does not end where its size says");
  state_ = next;
}

void BodyReader::Ignore() {
  if (max_ignored_bytes_ == 0) return Fail(431, "chunk extensions and trailers are too large");
  --max_ignored_bytes_;
}

void BodyReader::Fail(int status, std::string_view message) {
  state_ = State::kFailed;
  failure_ = ParseFailure{status, std::string(message)};
}

}  // namespace dunlin::http
