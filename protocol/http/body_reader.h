#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/http/parser.h"

namespace dunlin::http {

/// Takes one message body off a byte stream by its framing (RFC 9112 sections 6 and 7.1). Ours and
/// not http-parser's, because distributions build http-parser without its strict checks: it then
/// takes any two bytes for the line end after a chunk, which is how requests are smuggled.
class BodyReader {
 public:
  /// The default is an empty body, complete at once.
  BodyReader() = default;
  static BodyReader Sized(std::uint64_t bytes, std::size_t max_body_bytes);
  static BodyReader Chunked(ParserLimits limits);
  static BodyReader UntilClose(std::size_t max_body_bytes);

  /// Appends body bytes to `body` and returns how much of `bytes` was used: all of it unless the
  /// body ended or is malformed.
  std::size_t Feed(std::string_view bytes, std::string& body);

  bool complete() const { return state_ == State::kComplete; }
  /// The close of the connection ends the body in order.
  bool ends_with_close() const { return state_ == State::kUntilClose; }
  /// 400, 413 or 431.
  const std::optional<ParseFailure>& failure() const { return failure_; }

 private:
  enum class State {
    kComplete,
    kSized,
    kUntilClose,
    kChunkSize,       // hexadecimal digits
    kChunkExtension,  // the rest of the size line, ignored
    kChunkSizeEnd,    // its line feed
    kChunkData,
    kChunkDataEnd,      // carriage return after the data
    kChunkDataLineEnd,  // and line feed
    kTrailerStart,      // first byte of a trailer line
    kTrailer,           // inside one, ignored
    kTrailerEnd,        // its line feed
    kLastLineEnd,       // line feed of the empty line
    kFailed,
  };

  std::size_t TakeData(std::string_view bytes, std::string& body);
  void TakeFramingByte(char byte);
  void TakeSizeByte(char byte);
  void Expect(char byte, char wanted, State next);
  /// Counts a byte that is neither data nor needed framing.
  void Ignore();
  void Fail(int status, std::string_view message);

  State state_ = State::kComplete;
  std::uint64_t left_ = 0;             // of the sized body or the current chunk
  unsigned size_digits_ = 0;           // of the current chunk size
  std::size_t max_body_bytes_ = 0;     // left for data
  std::size_t max_ignored_bytes_ = 0;  // left for chunk extensions and trailers
  std::optional<ParseFailure> failure_;
};

}  // namespace dunlin::http
