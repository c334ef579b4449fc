#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/http/message.h"
#include "protocol/net/worker_pool.h"
#include "protocol/server/http_server.h"

namespace dunlin::server {

/// A plain function from request to answer.
using Handle = std::function<http::Response(const http::Request&, const Cancelled&)>;

/// Finds the handler by method and path, the first that fits. Unknown paths are 404, known ones
/// with another method 405 with Allow; HEAD is served by GET. Filled before serving, then constant,
/// and outlives the requests it routes. Handlers do not throw.
class Router {
 public:
  /// Patterns are literal segments or {name}, which takes one segment:
  /// "/loki/api/v1/label/{name}/values". Runs on the loop thread: quick answers only.
  void OnLoop(std::string_view method, std::string_view pattern, Handle handle);
  /// Runs on a worker, several at once; `pool` outlives the router. A request whose client went
  /// before its turn came is not handled.
  void OnWorker(std::string_view method, std::string_view pattern, Handle handle,
                net::WorkerPool& pool);
  /// Answers when it likes.
  void Async(std::string_view method, std::string_view pattern, RequestHandler handler);

  /// Called on the loop thread after each answer: the pattern ("" when none matched), the request
  /// without its body, status and seconds taken.
  std::function<void(std::string_view pattern, const http::Request&, int status, double seconds)>
      on_answer;

  void Route(http::Request request, Responder respond, Cancelled cancelled) const;

 private:
  struct Entry {
    std::string method;
    std::string pattern;
    std::vector<std::string> segments;
    RequestHandler handler;
  };
  std::vector<Entry> entries_;
};

}  // namespace dunlin::server
