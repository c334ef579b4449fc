#include "tests/store/scan_oracle.h"

#include "protocol/base/text.h"

namespace dunlin::store {

std::string Generator::Line() {
  static const std::vector<std::string> kWords = {
      "error", "Error", "GET",        "user=42",           "id-7f3a9c",          "a.b",
      "\n",    "",      " ",          "timeout after 30s", std::string("\0", 1), "\xff\xfe",
      "\r",    "ERROR", "blk_123456", "{\"k\":1}"};
  std::string line;
  for (std::size_t words = Below(6); words > 0; --words) {
    line += Pick(kWords);
    if (Below(3) != 0) line += ' ';
    if (Below(4) == 0) AppendInteger(line, Below(100'000));
  }
  if (Below(200) == 0) line.append(20'000, 'z');
  return line;
}

std::vector<TestEntry> Generator::Batch() {
  std::vector<TestEntry> entries;
  std::int64_t base = testing::ManualClock::kStartNs + static_cast<std::int64_t>(Below(60)) * kHour;
  for (std::size_t count = Below(40); count > 0; --count) {
    TestEntry entry;
    // Few distinct times: ties are common.
    entry.time_ns = base + static_cast<std::int64_t>(Below(20));
    entry.stream = StreamOf(Pick(std::vector<std::string>{"web", "db", "cache"}),
                            Pick(std::vector<std::string>{"c1", "c2"}));
    if (Below(3) == 0) entry.metadata = LabelSet{{"level", Below(2) == 0 ? "error" : "info"}};
    if (Below(20) == 0) entry.metadata.Set("trace_id", std::to_string(Below(1000)));
    entry.line = Line();
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<LineFilter> Generator::Filters() {
  using Kind = LineFilter::Kind;
  static const std::vector<LineFilter> kFilters = {{Kind::kContains, false, "error"},
                                                   {Kind::kContains, true, "error"},
                                                   {Kind::kContains, false, "user=42 "},
                                                   {Kind::kContains, false, ""},
                                                   {Kind::kContains, false, "\n"},
                                                   {Kind::kContains, false, "id-7f3a9c"},
                                                   {Kind::kContains, false, "not there"},
                                                   {Kind::kRegex, false, "[Ee]rror"},
                                                   {Kind::kRegex, true, "user=[0-9]+"},
                                                   {Kind::kRegex, false, "^GET"},
                                                   {Kind::kRegex, false, "[0-9]{5}$"},
                                                   {Kind::kRegex, false, "blk_[0-9]+ |timeout"},
                                                   {Kind::kRegex, false, ""},
                                                   {Kind::kContains, false, std::string("\0", 1)}};
  std::vector<LineFilter> filters;
  for (std::size_t count = Below(3); count > 0; --count) {
    filters.push_back(Pick(kFilters));
  }
  return filters;
}

ScanRequest Generator::Request() {
  ScanRequest request;
  request.start_ns = testing::ManualClock::kStartNs - kHour;
  request.end_ns = request.start_ns + 100 * kHour;
  if (Below(2) == 0) {
    request.start_ns = testing::ManualClock::kStartNs +
                       static_cast<std::int64_t>(Below(60)) * kHour +
                       static_cast<std::int64_t>(Below(20));
    request.end_ns = request.start_ns + static_cast<std::int64_t>(Below(30)) * kHour +
                     static_cast<std::int64_t>(Below(20));
  }
  switch (Below(4)) {
    case 0:
      request.stream_matches = [](const LabelSet& labels) {
        return labels.Get("service") == "web";
      };
      break;
    case 1:
      request.stream_matches = [](const LabelSet& labels) {
        return labels.Get("container") == "c1";
      };
      break;
    default:
      break;
  }
  request.line_filters = Filters();
  request.order =
      Pick(std::vector<Order>{Order::kAscending, Order::kDescending, Order::kUnordered});
  return request;
}

}  // namespace dunlin::store
