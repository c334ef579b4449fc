#include "tests/logql/memory_source.h"

#include <re2/re2.h>

#include <algorithm>

namespace dunlin::logql {
namespace {

bool Matches(const Matcher& matcher, std::string_view value) {
  std::string text(value);
  switch (matcher.op) {
    case Matcher::Op::kEqual:
      return text == matcher.value;
    case Matcher::Op::kNotEqual:
      return text != matcher.value;
    case Matcher::Op::kRegex:
      return re2::RE2::FullMatch(text, matcher.value);
    case Matcher::Op::kNotRegex:
      return !re2::RE2::FullMatch(text, matcher.value);
  }
  return false;
}

bool Holds(const LineFilter& filter, const std::string& line) {
  switch (filter.op) {
    case LineFilter::Op::kContains:
      return line.find(filter.pattern) != std::string::npos;
    case LineFilter::Op::kNotContains:
      return line.find(filter.pattern) == std::string::npos;
    case LineFilter::Op::kRegex:
      return re2::RE2::PartialMatch(line, filter.pattern);
    case LineFilter::Op::kNotRegex:
      return !re2::RE2::PartialMatch(line, filter.pattern);
  }
  return false;
}

bool Selected(const std::vector<Matcher>& matchers, const std::vector<LineFilter>& filters,
              const StoredEntry& entry) {
  return std::all_of(matchers.begin(), matchers.end(),
                     [&](const Matcher& m) { return Matches(m, entry.stream.Get(m.name)); }) &&
         std::all_of(filters.begin(), filters.end(),
                     [&](const LineFilter& f) { return Holds(f, entry.line); });
}

bool Selected(const Selection& selection, const StoredEntry& entry) {
  return entry.time_ns >= selection.start_ns && entry.time_ns < selection.end_ns &&
         Selected(selection.matchers, selection.filters, entry);
}

bool Lists(const LabelNames& names, const std::string& name) {
  bool listed = std::find(names.names.begin(), names.names.end(), name) != names.names.end();
  return listed == (names.kind == LabelNames::Kind::kListed);
}

}  // namespace

Result<SourceStats> MemorySource::Read(const Selection& selection,
                                       const std::function<bool(const Entry&)>& visit) {
  last_selection_ = selection;
  last_selection_.cancelled = nullptr;
  ++reads_;
  std::vector<const StoredEntry*> order;
  for (const StoredEntry& entry : entries_) order.push_back(&entry);
  if (selection.order == Order::kUnordered) {
    // By the last digits of the position: 0, 7, 14, ..., 1, 8, ...
    std::vector<const StoredEntry*> scrambled;
    for (std::size_t first = 0; first < 7; ++first) {
      for (std::size_t i = first; i < order.size(); i += 7) scrambled.push_back(order[i]);
    }
    order = std::move(scrambled);
  } else {
    std::stable_sort(order.begin(), order.end(), [](const StoredEntry* a, const StoredEntry* b) {
      return a->time_ns < b->time_ns;
    });
    if (selection.order == Order::kDescending) std::reverse(order.begin(), order.end());
  }
  SourceStats stats;
  for (const StoredEntry* entry : order) {
    if (selection.cancelled != nullptr && selection.cancelled->load()) {
      return Error(ErrorCode::kCancelled, "the query was cancelled");
    }
    ++stats.lines;
    stats.bytes += entry->line.size();
    if (!Selected(selection, *entry)) continue;
    if (!visit({entry->time_ns, entry->stream, entry->metadata, entry->line})) break;
  }
  return stats;
}

Result<EntryCounts> MemorySource::Count(const CountSelection& selection) {
  ++counts_;
  if (selection.cancelled != nullptr && selection.cancelled->load()) {
    return Error(ErrorCode::kCancelled, "the query was cancelled");
  }
  EntryCounts counts;
  std::uint64_t memory = 0;
  for (const StoredEntry& entry : entries_) {
    ++counts.stats.lines;
    if (!Selected(selection.matchers, selection.filters, entry)) continue;
    LabelSet shown;
    for (const auto& [name, value] : entry.metadata) {
      if (Lists(selection.metadata, name)) shown.Set(name, value);
    }
    for (std::size_t i = 0; i + 1 < selection.edges.size(); ++i) {
      if (entry.time_ns <= selection.edges[i] || entry.time_ns > selection.edges[i + 1]) continue;
      auto number = selection.group_of(entry.stream, shown);
      if (!number) continue;
      if (counts.groups.size() <= *number) counts.groups.resize(*number + 1);
      GroupCounts& group = counts.groups[*number];
      if (group.intervals.empty()) {
        memory += selection.edges.size() * sizeof(IntervalCount);
        if (memory > selection.max_bytes) return Error(ErrorCode::kExhausted, "too many counts");
        group.first = i / 2;  // below the first that has entries
      }
      if (i < group.first) {
        group.intervals.insert(group.intervals.begin(), group.first - i, IntervalCount());
        group.first = i;
      }
      if (group.intervals.size() <= i - group.first) group.intervals.resize(i - group.first + 1);
      ++group.intervals[i - group.first].entries;
      if (selection.bytes) group.intervals[i - group.first].bytes += entry.line.size();
    }
  }
  return counts;
}

}  // namespace dunlin::logql
