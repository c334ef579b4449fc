#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collector/logql/entry_source.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/http/message.h"

namespace dunlin::api {

/// A time as Loki's API takes it: with a '.', float seconds to the millisecond; else an integer,
/// seconds when it has at most ten characters and nanoseconds otherwise; else RFC 3339. Errors:
/// kInvalidArgument.
Result<std::int64_t> ParseTime(std::string_view text);

/// A step or interval: float seconds ("2.5") or a Prometheus duration ("1m30s"). Errors:
/// kInvalidArgument.
Result<std::chrono::nanoseconds> ParseStep(std::string_view text);

struct TimeRange {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};

/// `start`, `end` and `since`; without a start the range begins `default_since` before the end, or
/// before now when the end lies ahead. Errors: kInvalidArgument, also for an end before the start.
Result<TimeRange> ParseTimeRange(const http::Parameters& parameters, LogTime now,
                                 std::chrono::nanoseconds default_since);

/// The parameters of query_range.
struct RangeRequest {
  std::string query;
  TimeRange range;
  std::size_t limit = 100;
  logql::Order order = logql::Order::kDescending;
  std::chrono::nanoseconds step{};
  std::chrono::nanoseconds interval{};
};

/// Errors: kInvalidArgument naming the parameter.
Result<RangeRequest> ParseRangeRequest(const http::Parameters& parameters, LogTime now,
                                       std::size_t max_entries);

/// The parameters of query.
struct InstantRequest {
  std::string query;
  std::int64_t time_ns = 0;
};
Result<InstantRequest> ParseInstantRequest(const http::Parameters& parameters, LogTime now);

}  // namespace dunlin::api
