#pragma once

#include <http_parser.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/http/parser.h"

namespace dunlin::http {

/// Start line and fields of one message.
struct Head {
  std::string method;  // requests
  std::string target;  // requests, as sent
  int status = 0;      // responses
  int major = 1;
  int minor = 1;
  Headers fields;
  std::optional<std::uint64_t> content_length;
  bool keep_alive = true;  // what version and Connection ask for
};

/// Reads one message head with http-parser, and refuses what http-parser lets through when it is
/// built without its strict checks. Blank lines before the start line are skipped.
class HeadReader {
 public:
  enum class Kind { kRequest, kResponse };
  HeadReader(Kind kind, std::size_t max_bytes);
  HeadReader(const HeadReader&) = delete;
  HeadReader& operator=(const HeadReader&) = delete;

  /// Returns how much of `bytes` belongs to the head: all of it unless the head ended or is
  /// malformed.
  std::size_t Feed(std::string_view bytes);

  /// Whether the first byte of a start line has arrived.
  bool started() const { return started_; }
  bool complete() const { return complete_; }
  const std::optional<ParseFailure>& failure() const { return failure_; }
  /// Once complete.
  Head& head() { return head_; }

 private:
  static const http_parser_settings& Callbacks();
  void OnField(std::string_view piece);
  void OnHeadEnd();
  void FlushField();
  void CheckLineStarts(std::string_view bytes);
  void FailFrom(http_errno code);
  void Fail(int status, std::string_view message);

  http_parser parser_;
  std::size_t bytes_left_;
  bool started_ = false;
  bool complete_ = false;
  bool in_value_ = false;   // the last callback was about a value
  char last_byte_ = '\0';   // of the head so far
  std::string start_;       // the first bytes of the start line, to name what came instead of HTTP
  std::string field_name_;  // the field being read
  std::string field_value_;
  Head head_;
  std::optional<ParseFailure> failure_;
};

}  // namespace dunlin::http
