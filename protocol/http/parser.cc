#include "protocol/http/parser.h"

#include <algorithm>
#include <vector>

#include "protocol/base/text.h"
#include "protocol/http/body_reader.h"
#include "protocol/http/head_reader.h"

namespace dunlin::http {
namespace {

/// The transfer codings of all Transfer-Encoding fields, in order, without their parameters.
std::vector<std::string> TransferCodings(const Headers& fields) {
  std::vector<std::string> codings;
  for (const auto& [name, value] : fields) {
    if (!EqualsIgnoreCase(name, "Transfer-Encoding")) continue;
    for (std::string_view coding : Split(value, ',')) {
      coding = Trim(coding.substr(0, coding.find(';')));
      if (!coding.empty()) codings.push_back(ToLowerAscii(coding));
    }
  }
  return codings;
}

bool HasTransferEncoding(const Headers& fields) { return fields.Has("Transfer-Encoding"); }

/// RFC 9112 section 6.1 on what framing a request may have; nothing when it is in order.
std::optional<ParseFailure> CheckTransferEncoding(const Head& head) {
  if (!HasTransferEncoding(head.fields)) return std::nullopt;
  if (head.minor == 0) {
    return ParseFailure{400, "HTTP/1.0 does not have Transfer-Encoding"};
  }
  if (head.content_length) {
    return ParseFailure{400, "a request has both Content-Length and Transfer-Encoding"};
  }
  std::vector<std::string> codings = TransferCodings(head.fields);
  for (const std::string& coding : codings) {
    if (coding != "chunked") {
      return ParseFailure{501, Join("transfer coding \"", coding, "\" is not supported")};
    }
  }
  if (codings.size() != 1) {
    return ParseFailure{400, "Transfer-Encoding is not exactly one \"chunked\""};
  }
  return std::nullopt;
}

std::optional<ParseFailure> CheckRequestHead(const Head& head) {
  if (head.major != 1) {
    return ParseFailure{505, Join("HTTP/", head.major, " is not spoken here; use HTTP/1.1")};
  }
  auto hosts = std::count_if(head.fields.begin(), head.fields.end(), [](const auto& field) {
    return EqualsIgnoreCase(field.first, "Host");
  });
  // RFC 9112 section 3.2.
  if (hosts > 1 || (hosts == 0 && head.minor > 0)) {
    return ParseFailure{400, "a request has exactly one Host field"};
  }
  return CheckTransferEncoding(head);
}

/// The decoded path of a request target in any of its forms (RFC 9112 section 3.2).
std::string PathOf(std::string_view target) {
  target = target.substr(0, target.find_first_of("?#"));
  if (std::size_t scheme = target.find("://"); !target.starts_with('/') && scheme < 8) {
    std::size_t slash = target.find('/', scheme + 3);
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  return DecodePercent(target, /*plus_is_space=*/false);
}

}  // namespace

struct RequestParser::Impl {
  explicit Impl(ParserLimits l) : limits(l) { Begin(); }

  void Begin() {
    head.emplace(HeadReader::Kind::kRequest, limits.header_bytes);
    body = BodyReader();
    request = Request();
    complete = false;
    continue_expected = false;
  }

  void OnHead() {
    Head& h = head->head();
    if (auto refused = CheckRequestHead(h)) {
      failure = std::move(refused);
      return;
    }
    if (HasTransferEncoding(h.fields)) {
      body = BodyReader::Chunked(limits);
    } else {
      body = BodyReader::Sized(h.content_length.value_or(0), limits.body_bytes);
    }
    failure = body.failure();
    if (failure) return;
    // RFC 9110 section 10.1.1: a 1.0 client does not wait for a 100.
    continue_expected =
        h.minor > 0 && !body.complete() && EqualsIgnoreCase(h.fields.Get("Expect"), "100-continue");
    keep_alive_next = h.keep_alive;
    request.method = std::move(h.method);
    request.path = PathOf(h.target);
    request.target = std::move(h.target);
    request.headers = std::move(h.fields);
  }

  ParserLimits limits;
  std::optional<HeadReader> head;
  BodyReader body;
  Request request;
  bool complete = false;
  bool continue_expected = false;
  bool keep_alive_next = true;  // of the request being read
  bool keep_alive = true;       // of the last finished one
  std::optional<ParseFailure> failure;
};

RequestParser::RequestParser(ParserLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;

std::size_t RequestParser::Feed(std::string_view bytes) {
  Impl& p = *impl_;
  if (p.complete || p.failure) return 0;
  std::size_t used = 0;
  if (!p.head->complete()) {
    used = p.head->Feed(bytes);
    p.failure = p.head->failure();
    if (p.failure || !p.head->complete()) return used;
    p.OnHead();
    if (p.failure) return used;
  }
  std::size_t body_used = p.body.Feed(bytes.substr(used), p.request.body);
  // RFC 9110 section 10.1.1: no 100 once part of the body is here.
  if (body_used > 0) p.continue_expected = false;
  p.failure = p.body.failure();
  if (p.body.complete()) {
    p.complete = true;
    p.keep_alive = p.keep_alive_next;
  }
  return used + body_used;
}

std::optional<Request> RequestParser::TakeRequest() {
  Impl& p = *impl_;
  if (!p.complete) return std::nullopt;
  Request request = std::move(p.request);
  p.Begin();
  return request;
}

const std::optional<ParseFailure>& RequestParser::failure() const { return impl_->failure; }

bool RequestParser::keep_alive() const { return impl_->keep_alive; }

bool RequestParser::TakeContinueExpected() {
  return std::exchange(impl_->continue_expected, false);
}

bool RequestParser::in_message() const { return impl_->head->started() && !impl_->complete; }

struct ResponseParser::Impl {
  explicit Impl(ParserLimits l) : limits(l) { Begin(); }

  void Begin() { head.emplace(HeadReader::Kind::kResponse, limits.header_bytes); }

  Result<void> OnHead() {
    Head& h = head->head();
    if (h.major != 1) return Corrupt(Join("the peer answers in HTTP/", h.major));
    // RFC 9110 section 15.2: interim answers precede the one that counts; 101 ends HTTP here.
    if (h.status < 200 && h.status != 101) {
      Begin();
      return {};
    }
    std::vector<std::string> codings = TransferCodings(h.fields);
    // RFC 9112 section 6.3.
    if (h.status < 200 || h.status == 204 || h.status == 304) {
      body = BodyReader();
    } else if (!codings.empty()) {
      if (codings.size() != 1 || codings[0] != "chunked") {
        return Corrupt("the response has a transfer coding other than chunked");
      }
      body = BodyReader::Chunked(limits);
    } else if (h.content_length) {
      body = BodyReader::Sized(*h.content_length, limits.body_bytes);
    } else {
      body = BodyReader::UntilClose(limits.body_bytes);
    }
    in_body = true;
    response.status = h.status;
    response.headers = std::move(h.fields);
    return {};
  }

  Result<void> Corrupt(std::string_view cause) {
    failed = true;
    return Error(ErrorCode::kCorruption, Join("cannot read the HTTP response: ", cause));
  }

  Result<void> Refuse(const ParseFailure& failure) {
    bool limit = failure.status == 413 || failure.status == 431;
    if (!limit) return Corrupt(failure.message);
    failed = true;
    return Error(ErrorCode::kExhausted, "the HTTP response is larger than allowed");
  }

  ParserLimits limits;
  std::optional<HeadReader> head;
  BodyReader body;
  Response response;
  bool in_body = false;
  bool complete = false;
  bool taken = false;
  bool failed = false;
};

ResponseParser::ResponseParser(ParserLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
ResponseParser::~ResponseParser() = default;

Result<void> ResponseParser::Feed(std::string_view bytes) {
  Impl& p = *impl_;
  while (!bytes.empty()) {
    if (p.failed) return p.Corrupt("an earlier part was malformed");
    if (p.complete) return p.Corrupt("bytes follow its end");
    if (p.in_body) {
      bytes.remove_prefix(p.body.Feed(bytes, p.response.body));
      if (p.body.failure()) return p.Refuse(*p.body.failure());
    } else {
      bytes.remove_prefix(p.head->Feed(bytes));
      if (p.head->failure()) return p.Refuse(*p.head->failure());
      if (p.head->complete()) {
        if (auto done = p.OnHead(); !done) return done;
        if (p.in_body && p.body.failure()) return p.Refuse(*p.body.failure());
      }
    }
    p.complete = p.in_body && p.body.complete();
  }
  return {};
}

Result<void> ResponseParser::Finish() {
  Impl& p = *impl_;
  if (p.complete) return {};
  if (!p.in_body || !p.body.ends_with_close()) {
    return p.Corrupt("the connection was closed before its end");
  }
  p.complete = true;
  return {};
}

std::optional<int> ResponseParser::status() const {
  if (!impl_->in_body) return std::nullopt;
  return impl_->response.status;
}

std::optional<Response> ResponseParser::TakeResponse() {
  Impl& p = *impl_;
  if (!p.complete || std::exchange(p.taken, true)) return std::nullopt;
  return std::move(p.response);
}

}  // namespace dunlin::http
