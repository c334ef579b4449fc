#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/http/message.h"

namespace dunlin::controller {

/// PEM files for https: empty ones are not used, and without a CA the system's are asked.
struct ClientTls {
  std::string ca;
  std::string certificate;
  std::string key;
};

struct ClientRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  ClientTls tls = {};
  /// ADDRESS:PORT to connect to; empty: what the URL names, whose host a certificate is for anyway.
  std::string connect_to = {};
  std::chrono::milliseconds connect_timeout{2000};
  std::chrono::milliseconds timeout{10000};  // for everything
  std::size_t max_body_bytes = 64 << 20;
};

/// One HTTP exchange through libcurl, without following redirects or proxies of the environment.
/// Blocks: worker threads and the command line only. Any thread.
/// Errors: kUnavailable (refused, reset), kTimeout, kNotFound (name), kExhausted (body over the
/// limit), kCorruption (not HTTP), kInvalidArgument (address or header); any status of an answer is
/// a value.
Result<http::Response> Send(const ClientRequest& request);

}  // namespace dunlin::controller
