#include "controller/http_client.h"

#include <curl/curl.h>

#include <cstring>
#include <memory>
#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/text.h"

namespace dunlin::controller {
namespace {

struct EasyCloser {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListCloser {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyCloser>;
using TextList = std::unique_ptr<curl_slist, ListCloser>;

/// What libcurl's callbacks fill.
struct Exchange {
  http::Response response;
  std::size_t max_body_bytes;
  bool body_too_large = false;
};

std::size_t OnHeader(char* bytes, std::size_t size, std::size_t count, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  std::string_view line(bytes, size * count);
  // Each answer starts with its status line; fields of an interim one (100 Continue) do not count.
  if (line.starts_with("HTTP/")) {
    exchange.response.headers = {};
    return line.size();
  }
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (std::size_t colon = line.find(':'); colon != std::string_view::npos) {
    exchange.response.headers.Add(line.substr(0, colon), Trim(line.substr(colon + 1)));
  }
  return size * count;
}

std::size_t OnBody(char* bytes, std::size_t size, std::size_t count, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  std::string& body = exchange.response.body;
  if (size * count > exchange.max_body_bytes - body.size()) {
    exchange.body_too_large = true;
    return CURL_WRITEFUNC_ERROR;
  }
  body.append(bytes, size * count);
  return size * count;
}

bool IsFieldText(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

Error NotHttp(std::string_view place, std::string_view cause) {
  return Error(ErrorCode::kCorruption, Join(place, " does not speak HTTP: ", cause));
}

/// Turns libcurl's code into ours; the only place that knows both.
Error CurlError(CURL* easy, CURLcode code, const Exchange& exchange, const ClientRequest& request,
                const char* detail) {
  // Without the query: it may be long, and is the caller's to tell.
  std::string_view place = std::string_view(request.url).substr(0, request.url.find('?'));
  if (exchange.body_too_large) {
    return Error(ErrorCode::kExhausted,
                 Join(place, " answered more than ", exchange.max_body_bytes, " bytes: not read"));
  }
  std::string cause = *detail != '\0' ? detail : curl_easy_strerror(code);
  long os_error = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return Error(ErrorCode::kNotFound, Join("cannot reach ", place, ": ", cause));
    case CURLE_OPERATION_TIMEDOUT:
      return Error(ErrorCode::kTimeout, Join("no answer from ", place, ": ", cause));
    case CURLE_WEIRD_SERVER_REPLY:
      return NotHttp(place, cause);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: {
      // A peer that answers without a status line counts as HTTP/0.9, an unsupported protocol.
      curl_off_t connected = 0;
      curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected);
      if (connected != 0) return NotHttp(place, cause);
      return Error(ErrorCode::kInvalidArgument,
                   Join("\"", place, "\" is not an http:// or https:// address: ", cause));
    }
    case CURLE_COULDNT_CONNECT: {
      if (os_error == 0) break;
      // The error libcurl words leaves out why: "Connection refused" says more.
      return Error(ErrorCode::kUnavailable,
                   ErrnoError(static_cast<int>(os_error), Join("cannot reach ", place)).message());
    }
    default:
      break;
  }
  return Error(ErrorCode::kUnavailable, Join("cannot reach ", place, ": ", cause));
}

void SetMethod(CURL* easy, const ClientRequest& request) {
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (request.method == "HEAD") curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  bool has_body = !request.body.empty() || request.method == "POST" || request.method == "PUT";
  if (!has_body) return;
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
}

void Append(TextList& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  Check(longer != nullptr, "out of memory");
  static_cast<void>(list.release());
  list.reset(longer);
}

Result<TextList> FieldsOf(const ClientRequest& request) {
  TextList list;
  bool has_type = false;
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || !IsFieldText(name) || !IsFieldText(value)) {
      return Error(ErrorCode::kInvalidArgument,
                   Join("the value of header ", name, " holds a line break"));
    }
    if (EqualsIgnoreCase(name, "content-type")) has_type = true;
    // libcurl takes "Name;" for an empty value; "Name:" would remove the field.
    Append(list, value.empty() ? name + ";" : Join(name, ": ", value));
  }
  // What libcurl would add by itself: a form's content type, and a wait for 100 Continue.
  if (!has_type) Append(list, "Content-Type:");
  Append(list, "Expect:");
  return list;
}

}  // namespace

Result<http::Response> Send(const ClientRequest& request) {
  // Once, by the first caller; the others wait for it.
  static const bool initialised = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  Check(initialised, "libcurl does not start");
  auto fields = FieldsOf(request);
  if (!fields) return std::move(fields).error();

  Easy easy(curl_easy_init());
  Check(easy != nullptr, "out of memory");
  Exchange exchange{{}, request.max_body_bytes};
  char detail[CURL_ERROR_SIZE] = "";
  CURL* handle = easy.get();
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  // The parts of dunlin talk to each other directly, whatever proxy the environment names.
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, fields->get());
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(request.connect_timeout.count()));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
  for (const auto& [option, file] : {std::pair(CURLOPT_CAINFO, &request.tls.ca),
                                     std::pair(CURLOPT_SSLCERT, &request.tls.certificate),
                                     std::pair(CURLOPT_SSLKEY, &request.tls.key)}) {
    if (!file->empty()) curl_easy_setopt(handle, option, file->c_str());
  }
  TextList connect_to;
  if (!request.connect_to.empty()) {
    Append(connect_to, "::" + request.connect_to);
    curl_easy_setopt(handle, CURLOPT_CONNECT_TO, connect_to.get());
  }
  SetMethod(handle, request);

  CURLcode code = curl_easy_perform(handle);
  if (code != CURLE_OK) return CurlError(handle, code, exchange, request, detail);
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  exchange.response.status = static_cast<int>(status);
  return std::move(exchange.response);
}

}  // namespace dunlin::controller
