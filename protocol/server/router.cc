#include "protocol/server/router.h"

#include <optional>
#include <utility>

#include "protocol/base/clock.h"
#include "protocol/base/text.h"

namespace dunlin::server {
namespace {

std::vector<std::string> SegmentsOf(std::string_view path) {
  std::vector<std::string> segments;
  for (std::string_view segment : Split(path, '/')) segments.emplace_back(segment);
  return segments;
}

/// The segments of a request's path, each decoded by itself: %2F is a slash in a segment, not
/// between two (RFC 3986 section 2.2).
std::vector<std::string> SegmentsOf(const http::Request& request) {
  std::string_view target = request.target;
  if (!target.starts_with('/')) return SegmentsOf(request.path);
  std::vector<std::string> segments = SegmentsOf(target.substr(0, target.find_first_of("?#")));
  for (std::string& segment : segments) {
    segment = http::DecodePercent(segment, /*plus_is_space=*/false);
  }
  return segments;
}

bool IsPlaceholder(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

/// What the placeholders of `pattern` match in `path`, or nothing when it does not fit.
std::optional<http::Parameters> Match(const std::vector<std::string>& pattern,
                                      const std::vector<std::string>& path) {
  if (pattern.size() != path.size()) return std::nullopt;
  http::Parameters values;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    std::string_view segment = pattern[i];
    if (IsPlaceholder(segment)) {
      if (path[i].empty()) return std::nullopt;
      values.Add(std::string(segment.substr(1, segment.size() - 2)), path[i]);
    } else if (segment != path[i]) {
      return std::nullopt;
    }
  }
  return values;
}

void AllowMethod(std::string& allowed, std::string_view method) {
  for (std::string_view known : Split(allowed, ',')) {
    if (Trim(known) == method) return;
  }
  if (!allowed.empty()) allowed += ", ";
  allowed += method;
}

/// All of a request but its body, which the handler takes.
http::Request WithoutBody(const http::Request& request) {
  http::Request head;
  head.method = request.method;
  head.path = request.path;
  head.target = request.target;
  head.headers = request.headers;
  head.peer = request.peer;
  head.identity = request.identity;
  head.path_values = request.path_values;
  return head;
}

/// What a worker is given and gives back. Shared by the two functions that run one after the other,
/// which the pool's std::function copies.
struct Job {
  http::Request request;
  Responder respond;
  Cancelled cancelled;
  http::Response response;
};

}  // namespace

void Router::OnLoop(std::string_view method, std::string_view pattern, Handle handle) {
  Async(method, pattern,
        [handle = std::move(handle)](const http::Request& request, const Responder& respond,
                                     const Cancelled& cancelled) {
          respond(handle(request, cancelled));
        });
}

void Router::OnWorker(std::string_view method, std::string_view pattern, Handle handle,
                      net::WorkerPool& pool) {
  Async(method, pattern,
        [handle = std::move(handle), &pool](http::Request request, Responder respond,
                                            Cancelled cancelled) {
          auto job = std::make_shared<Job>(
              Job{std::move(request), std::move(respond), std::move(cancelled), {}});
          pool.Submit(
              [job, handle] {
                // Nobody waits for this any more; whoever waits for a worker does.
                if (job->cancelled->load()) {
                  job->response = http::Response::Text(503, "the client has gone\n");
                } else {
                  job->response = handle(job->request, job->cancelled);
                }
              },
              [job] { job->respond(std::move(job->response)); });
        });
}

void Router::Async(std::string_view method, std::string_view pattern, RequestHandler handler) {
  entries_.push_back(
      {std::string(method), std::string(pattern), SegmentsOf(pattern), std::move(handler)});
}

void Router::Route(http::Request request, Responder respond, Cancelled cancelled) const {
  std::vector<std::string> path = SegmentsOf(request);
  const Entry* found = nullptr;
  std::string_view pattern;  // of any method
  std::string allowed;
  for (const Entry& entry : entries_) {
    auto values = Match(entry.segments, path);
    if (!values) continue;
    if (pattern.empty()) pattern = entry.pattern;
    // RFC 9110 section 9.3.2: HEAD is GET without the content, which the server leaves out.
    bool head = request.method == "HEAD" && entry.method == "GET";
    if (entry.method == request.method || (head && found == nullptr)) {
      found = &entry;
      request.path_values = std::move(*values);
      if (!head) break;
    }
    AllowMethod(allowed, entry.method);
    if (entry.method == "GET") AllowMethod(allowed, "HEAD");
  }
  if (found != nullptr) pattern = found->pattern;

  if (on_answer) {
    auto start = SystemClock().Steady();
    respond = [this, pattern, start, head = WithoutBody(request),
               respond = std::move(respond)](http::Response response) {
      std::chrono::duration<double> taken = SystemClock().Steady() - start;
      int status = response.status;
      respond(std::move(response));
      on_answer(pattern, head, status, taken.count());
    };
  }
  if (found != nullptr) {
    return found->handler(std::move(request), std::move(respond), std::move(cancelled));
  }
  if (pattern.empty()) {
    return respond(http::Response::Text(404, Join("no such page: ", request.path, "\n")));
  }
  auto response = http::Response::Text(
      405, Join(request.method, " is not allowed on ", request.path, "; allowed: ", allowed, "\n"));
  response.headers.Set("Allow", allowed);
  respond(std::move(response));
}

}  // namespace dunlin::server
