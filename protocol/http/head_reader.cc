#include "protocol/http/head_reader.h"

#include <algorithm>
#include <limits>

#include "protocol/base/text.h"

namespace dunlin::http {
namespace {

/// Enough of a start line to recognise other protocols by.
constexpr std::size_t kKeptStartBytes = 8;

HeadReader& ReaderOf(http_parser* parser) { return *static_cast<HeadReader*>(parser->data); }

/// RFC 9110 section 5.6.2.
bool IsTokenChar(char c) {
  bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return alphanumeric || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

}  // namespace

HeadReader::HeadReader(Kind kind, std::size_t max_bytes) : bytes_left_(max_bytes) {
  http_parser_init(&parser_, kind == Kind::kRequest ? HTTP_REQUEST : HTTP_RESPONSE);
  parser_.data = this;
}

const http_parser_settings& HeadReader::Callbacks() {
  static const http_parser_settings callbacks = [] {
    http_parser_settings s;
    http_parser_settings_init(&s);
    s.on_message_begin = [](http_parser* p) {
      ReaderOf(p).started_ = true;
      return 0;
    };
    s.on_url = [](http_parser* p, const char* at, std::size_t size) {
      ReaderOf(p).head_.target.append(at, size);
      return 0;
    };
    s.on_header_field = [](http_parser* p, const char* at, std::size_t size) {
      ReaderOf(p).OnField({at, size});
      return 0;
    };
    s.on_header_value = [](http_parser* p, const char* at, std::size_t size) {
      ReaderOf(p).in_value_ = true;
      ReaderOf(p).field_value_.append(at, size);
      return 0;
    };
    s.on_headers_complete = [](http_parser* p) {
      ReaderOf(p).OnHeadEnd();
      // The body is the BodyReader's.
      http_parser_pause(p, /*paused=*/1);
      return 0;
    };
    return s;
  }();
  return callbacks;
}

std::size_t HeadReader::Feed(std::string_view bytes) {
  if (complete_ || failure_ || bytes.empty()) return 0;
  // The head ends at the last byte of `slice` at the latest, or it is too large.
  std::string_view slice = bytes.substr(0, bytes_left_);
  std::size_t used = http_parser_execute(&parser_, &Callbacks(), slice.data(), slice.size());
  // The pause leaves the parser on the line feed that ends the head.
  if (complete_) ++used;
  std::string_view head = slice.substr(0, used);
  if (start_.size() < kKeptStartBytes) {
    std::size_t blank = start_.empty() ? slice.find_first_not_of("\r\n") : 0;
    if (blank < slice.size()) start_ += slice.substr(blank, kKeptStartBytes - start_.size());
  }
  CheckLineStarts(head);
  bytes_left_ -= used;
  http_errno code = HTTP_PARSER_ERRNO(&parser_);
  if (failure_) {
    complete_ = false;
  } else if (code != HPE_OK && code != HPE_PAUSED) {
    FailFrom(code);
  } else if (complete_ && head.back() != '\n') {
    complete_ = false;
    Fail(400, "the header section does not end with an empty line");
  } else if (!complete_ && bytes_left_ == 0) {
    Fail(431, "the request line and header fields are larger than this server takes");
  }
  return used;
}

void HeadReader::OnField(std::string_view piece) {
  if (in_value_) FlushField();
  field_name_.append(piece);
}

void HeadReader::FlushField() {
  in_value_ = false;
  // RFC 9112 section 5.1: no whitespace between name and colon.
  if (!std::all_of(field_name_.begin(), field_name_.end(), IsTokenChar)) {
    Fail(400, "a header field name contains a character that is not allowed");
  }
  head_.fields.Add(field_name_, Trim(field_value_));
  field_name_.clear();
  field_value_.clear();
}

void HeadReader::OnHeadEnd() {
  if (in_value_) FlushField();
  complete_ = true;
  if (parser_.type == HTTP_REQUEST) {
    head_.method = http_method_str(static_cast<http_method>(parser_.method));
  }
  head_.status = parser_.status_code;
  head_.major = parser_.http_major;
  head_.minor = parser_.http_minor;
  if (parser_.content_length != std::numeric_limits<std::uint64_t>::max()) {
    head_.content_length = parser_.content_length;
  }
  head_.keep_alive = http_should_keep_alive(&parser_) != 0;
}

void HeadReader::CheckLineStarts(std::string_view bytes) {
  // RFC 9112 section 5.2: a folded header line is refused.
  bool folded = false;
  for (char c : bytes) {
    folded = folded || (last_byte_ == '\n' && (c == ' ' || c == '\t'));
    last_byte_ = c;
  }
  if (folded) Fail(400, "a header line starts with a space");
}

void HeadReader::FailFrom(http_errno code) {
  std::string_view start = start_;
  if (code == HPE_HEADER_OVERFLOW) {
    return Fail(431, "the request line and header fields are larger than this server takes");
  }
  if (code == HPE_INVALID_METHOD) {
    if (start.starts_with("PRI")) {
      return Fail(505, "HTTP/2 is not spoken here; use HTTP/1.1");
    }
    if (start.starts_with('\x16')) {
      return Fail(400, "this looks like TLS; use http:// on this port");
    }
    // No method starts so; the preface of the ingest protocol does.
    if (start.starts_with("DU")) {
      return Fail(400, "this is the HTTP port; agents connect to the ingest port");
    }
    if (!start.empty() && start[0] >= 'A' && start[0] <= 'Z') {
      return Fail(501, "the method is not known");
    }
  }
  Fail(400, Join("this is not an HTTP message: ", http_errno_description(code)));
}

void HeadReader::Fail(int status, std::string_view message) {
  if (!failure_) failure_ = ParseFailure{status, std::string(message)};
}

}  // namespace dunlin::http
