#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/base/units.h"
#include "protocol/http/message.h"

namespace dunlin::http {

/// What one message may cost; past a limit the parser fails with the status to answer.
struct ParserLimits {
  std::size_t header_bytes = 64_KiB;  // request line and all fields; at most http-parser's 80 KiB
  std::size_t body_bytes = 1_MiB;     // after removing chunked framing
};

/// A refusal to parse: what to answer (400, 413, 431, 501, 505) and why, for the body.
struct ParseFailure {
  int status;
  std::string message;
};

/// Turns the bytes of one connection into requests, one after another (HTTP/1.0 and 1.1, chunked
/// bodies, pipelining). Owns no socket. One thread.
class RequestParser {
 public:
  explicit RequestParser(ParserLimits limits = {});
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  /// Takes bytes up to the end of one request and says how many; the rest is the caller's to offer
  /// again after it has taken the request. After a failure the parser is done.
  std::size_t Feed(std::string_view bytes);

  /// The finished request, once; nothing while it is incomplete.
  std::optional<Request> TakeRequest();
  const std::optional<ParseFailure>& failure() const;
  /// Whether the last finished request lets the connection go on (RFC 9112 section 9.3).
  bool keep_alive() const;
  /// Whether the request now being read asked for 100 Continue; true once per request.
  bool TakeContinueExpected();
  /// Whether part of a request has arrived: a close now cuts it short.
  bool in_message() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The client's side: the bytes of one connection into one response.
class ResponseParser {
 public:
  explicit ResponseParser(ParserLimits limits = {});
  ~ResponseParser();
  ResponseParser(const ResponseParser&) = delete;
  ResponseParser& operator=(const ResponseParser&) = delete;

  /// Errors: kCorruption for what is not HTTP, kExhausted past a limit.
  Result<void> Feed(std::string_view bytes);
  /// The peer closed: completes a response whose end is the close. Errors: kCorruption when cut
  /// short.
  Result<void> Finish();
  std::optional<Response> TakeResponse();
  /// Of the response that counts, as soon as its head has been read: known even when its body is
  /// larger than allowed or never ends.
  std::optional<int> status() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::http
