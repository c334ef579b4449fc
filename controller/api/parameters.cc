#include "controller/api/parameters.h"

#include <algorithm>

#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::controller {
namespace {

constexpr std::chrono::nanoseconds kMaxWait = 60s;
constexpr std::size_t kMaxKeyBytes = 255;

Problem InvalidParameter(std::string field, std::string detail) {
  return {
      400, "invalid_parameter", Join(field, ": ", detail), {{std::move(field), "invalid", detail}}};
}

}  // namespace

Parsed<std::string> ReadProject(const http::Request& request) {
  http::Parameters parameters = request.Params();
  if (!parameters.Has("project")) return std::string("default");
  std::string project(parameters.Get("project"));
  if (IsValidName(project)) return project;
  return InvalidParameter("project",
                          "a name is 1 to 38 of a-z, 0-9 and -, not beginning or ending with -");
}

Parsed<std::chrono::nanoseconds> ReadWait(const http::Request& request) {
  http::Parameters parameters = request.Params();
  if (!parameters.Has("wait")) return 0ns;
  std::string_view text = parameters.Get("wait");
  std::optional<std::chrono::nanoseconds> wait;
  if (auto seconds = ParseInteger<std::uint32_t>(text)) {
    wait = std::chrono::seconds(*seconds);
  } else if (auto duration = ParseDuration(text)) {
    wait = *duration;
  }
  if (!wait) return InvalidParameter("wait", "must be seconds, or a duration such as 500ms");
  return std::min(*wait, kMaxWait);
}

Parsed<std::int64_t> ReadNumber(const http::Request& request, std::string_view name,
                                std::int64_t fallback, std::int64_t min, std::int64_t max) {
  http::Parameters parameters = request.Params();
  if (!parameters.Has(name)) return fallback;
  auto number = ParseInteger<std::int64_t>(parameters.Get(name));
  if (number && *number >= min && *number <= max) return *number;
  return InvalidParameter(std::string(name), Join("must be a number from ", min, " to ", max));
}

Parsed<std::string> ReadIdempotencyKey(const http::Request& request) {
  if (!request.headers.Has("Idempotency-Key")) return std::string();
  std::string_view key = request.headers.Get("Idempotency-Key");
  bool printable = std::all_of(key.begin(), key.end(), [](char c) { return c >= ' ' && c < 0x7F; });
  if (!key.empty() && key.size() <= kMaxKeyBytes && printable) return std::string(key);
  return InvalidParameter("Idempotency-Key", "must be 1 to 255 printable characters");
}

}  // namespace dunlin::controller
