#include "collector/api/parameters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "collector/logql/parse.h"
#include "protocol/base/rfc3339.h"
#include "protocol/base/text.h"

namespace dunlin::api {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMaxPoints = 11'000;
constexpr std::int64_t kDefaultPoints = 250;  // of a range without a step

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Error InvalidParameter(std::string_view name, const Error& error) {
  return Invalid(Join("parameter ", name, ": ", error.message()));
}

std::optional<double> ParseFloat(std::string_view text) {
  double value = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

/// Beyond what 64 bits of nanoseconds hold (1677 to 2262) the nearest time they do.
std::int64_t ClampedNanoseconds(double seconds) {
  constexpr double kLimit = 9.2e9;
  if (seconds >= kLimit) return std::numeric_limits<std::int64_t>::max();
  if (seconds <= -kLimit) return std::numeric_limits<std::int64_t>::min();
  double whole = std::trunc(seconds);
  double milliseconds = std::round((seconds - whole) * 1000);
  return static_cast<std::int64_t>(whole) * kSecond +
         static_cast<std::int64_t>(milliseconds) * 1'000'000;
}

std::int64_t SaturatingSubtract(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(a, b, &difference)) {
    return b > 0 ? std::numeric_limits<std::int64_t>::min()
                 : std::numeric_limits<std::int64_t>::max();
  }
  return difference;
}

Result<std::int64_t> TimeOr(const http::Parameters& parameters, std::string_view name,
                            std::int64_t fallback) {
  std::string_view text = parameters.Get(name);
  if (text.empty()) return fallback;
  auto time = ParseTime(text);
  if (!time) return InvalidParameter(name, time.error());
  return *time;
}

Result<std::chrono::nanoseconds> StepParameter(const http::Parameters& parameters,
                                               const TimeRange& range) {
  std::int64_t length = SaturatingSubtract(range.end_ns, range.start_ns);
  std::string_view text = parameters.Get("step");
  std::chrono::nanoseconds step(
      std::max<std::int64_t>(length / kDefaultPoints / kSecond * kSecond, kSecond));
  if (!text.empty()) {
    auto parsed = ParseStep(text);
    if (!parsed) return InvalidParameter("step", parsed.error());
    step = *parsed;
  }
  if (step <= 0ns) {
    return Invalid(
        "zero or negative query resolution step widths are not accepted. "
        "Try a positive integer");
  }
  if (length / step.count() > kMaxPoints) {
    return Invalid(
        "exceeded maximum resolution of 11,000 points per time series. Try increasing "
        "the value of the step parameter");
  }
  return step;
}

Result<std::size_t> LimitParameter(const http::Parameters& parameters, std::size_t max_entries) {
  std::string_view text = parameters.Get("limit");
  if (text.empty()) return std::min<std::size_t>(100, max_entries);
  auto limit = ParseInteger<std::int64_t>(text);
  if (!limit) return Invalid(Join("parameter limit: \"", text, "\" is not a whole number"));
  if (*limit <= 0) return Invalid("limit must be a positive value");
  if (static_cast<std::uint64_t>(*limit) > max_entries) {
    return Invalid(Join("max entries limit per query exceeded, limit > max_entries_limit (", *limit,
                        " > ", max_entries, ")"));
  }
  return static_cast<std::size_t>(*limit);
}

Result<logql::Order> DirectionParameter(const http::Parameters& parameters) {
  std::string_view text = parameters.Get("direction");
  if (text.empty() || EqualsIgnoreCase(text, "backward")) return logql::Order::kDescending;
  if (EqualsIgnoreCase(text, "forward")) return logql::Order::kAscending;
  return Invalid(Join("invalid direction '", text, "': forward or backward"));
}

Result<std::string> QueryParameter(const http::Parameters& parameters) {
  std::string_view query = parameters.Get("query");
  if (Trim(query).empty()) return Invalid("parameter query is missing");
  return std::string(query);
}

}  // namespace

Result<std::int64_t> ParseTime(std::string_view text) {
  if (text.find('.') != std::string_view::npos) {
    if (auto seconds = ParseFloat(text)) return ClampedNanoseconds(*seconds);
  }
  if (auto number = ParseInteger<std::int64_t>(text)) {
    constexpr std::size_t kMaxSecondsDigits = 10;
    if (text.size() > kMaxSecondsDigits) return *number;
    return ClampedNanoseconds(static_cast<double>(*number));
  }
  if (auto time = ParseRfc3339(text)) return NanosecondsOf(*time);
  return Invalid(Join("cannot parse \"", text,
                      "\" to a valid timestamp: Unix seconds, nanoseconds or RFC 3339"));
}

Result<std::chrono::nanoseconds> ParseStep(std::string_view text) {
  if (auto seconds = ParseFloat(text)) {
    constexpr double kLimit = 9.2e9;
    if (std::abs(*seconds) >= kLimit) return Invalid(Join("\"", text, "\" is too long"));
    return std::chrono::nanoseconds(static_cast<std::int64_t>(*seconds * 1e9));
  }
  auto duration = logql::ParsePrometheusDuration(text);
  if (!duration) {
    return Invalid(Join("cannot parse \"", text, "\" to a valid duration: seconds or like 1m30s"));
  }
  return *duration;
}

Result<TimeRange> ParseTimeRange(const http::Parameters& parameters, LogTime now,
                                 std::chrono::nanoseconds default_since) {
  std::int64_t now_ns = NanosecondsOf(now);
  auto end = TimeOr(parameters, "end", now_ns);
  if (!end) return std::move(end).error();
  std::chrono::nanoseconds since = default_since;
  if (std::string_view text = parameters.Get("since"); !text.empty()) {
    auto parsed = logql::ParsePrometheusDuration(text);
    if (!parsed) return InvalidParameter("since", parsed.error());
    since = *parsed;
  }
  auto start =
      TimeOr(parameters, "start", SaturatingSubtract(std::min(*end, now_ns), since.count()));
  if (!start) return std::move(start).error();
  if (*end < *start) {
    return Invalid("end timestamp must not be before or equal to start time");
  }
  return TimeRange{*start, *end};
}

Result<RangeRequest> ParseRangeRequest(const http::Parameters& parameters, LogTime now,
                                       std::size_t max_entries) {
  RangeRequest request;
  auto query = QueryParameter(parameters);
  if (!query) return std::move(query).error();
  request.query = std::move(*query);
  auto range = ParseTimeRange(parameters, now, 1h);
  if (!range) return std::move(range).error();
  request.range = *range;
  auto limit = LimitParameter(parameters, max_entries);
  if (!limit) return std::move(limit).error();
  request.limit = *limit;
  auto order = DirectionParameter(parameters);
  if (!order) return std::move(order).error();
  request.order = *order;
  auto step = StepParameter(parameters, *range);
  if (!step) return std::move(step).error();
  request.step = *step;
  if (std::string_view text = parameters.Get("interval"); !text.empty()) {
    auto interval = ParseStep(text);
    if (!interval) return InvalidParameter("interval", interval.error());
    if (*interval < 0ns) return Invalid("interval must be >= 0");
    request.interval = *interval;
  }
  return request;
}

Result<InstantRequest> ParseInstantRequest(const http::Parameters& parameters, LogTime now) {
  InstantRequest request;
  auto query = QueryParameter(parameters);
  if (!query) return std::move(query).error();
  request.query = std::move(*query);
  auto time = TimeOr(parameters, "time", NanosecondsOf(now));
  if (!time) return std::move(time).error();
  request.time_ns = *time;
  return request;
}

}  // namespace dunlin::api
