#include "collector/api/store_entry_source.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "collector/api/service_name.h"
#include "collector/logql/selector.h"

namespace dunlin::api {
namespace {

store::LineFilter StoreFilter(const logql::LineFilter& filter) {
  using Op = logql::LineFilter::Op;
  using Kind = store::LineFilter::Kind;
  switch (filter.op) {
    case Op::kContains:
      return {Kind::kContains, false, filter.pattern};
    case Op::kNotContains:
      return {Kind::kContains, true, filter.pattern};
    case Op::kRegex:
      return {Kind::kRegex, false, filter.pattern};
    case Op::kNotRegex:
      return {Kind::kRegex, true, filter.pattern};
  }
  return {};
}

std::vector<store::LineFilter> StoreFilters(const std::vector<logql::LineFilter>& filters) {
  std::vector<store::LineFilter> out;
  for (const logql::LineFilter& filter : filters) out.push_back(StoreFilter(filter));
  return out;
}

store::LabelNames StoreNames(const logql::LabelNames& names) {
  using Kind = store::LabelNames::Kind;
  bool listed = names.kind == logql::LabelNames::Kind::kListed;
  return {listed ? Kind::kListed : Kind::kAllBut, names.names};
}

logql::SourceStats SourceStatsOf(store::ScanStats stats) {
  return {stats.bytes_scanned, stats.rows_scanned, stats.segments, stats.blocks_read,
          std::move(stats.warnings)};
}

store::Order StoreOrder(logql::Order order) {
  switch (order) {
    case logql::Order::kAscending:
      return store::Order::kAscending;
    case logql::Order::kDescending:
      return store::Order::kDescending;
    case logql::Order::kUnordered:
      return store::Order::kUnordered;
  }
  return store::Order::kDescending;
}

/// Streams with their alias, made once each.
class AliasedStreams {
 public:
  const LabelSet& Of(const LabelSet& stream) {
    // Neighbouring entries are mostly of one stream.
    if (last_ == nullptr || last_->first != stream) {
      auto [place, is_new] = aliased_.try_emplace(stream);
      if (is_new) place->second = WithServiceName(stream);
      last_ = &*place;
    }
    return last_->second;
  }

 private:
  std::unordered_map<LabelSet, LabelSet> aliased_;
  const std::pair<const LabelSet, LabelSet>* last_ = nullptr;
};

}  // namespace

Result<std::function<bool(const LabelSet&)>> StreamCondition(
    const std::vector<logql::Matcher>& matchers) {
  auto compiled = logql::CompiledSelector::Compile(matchers);
  if (!compiled) return std::move(compiled).error();
  // The store keeps the condition in a std::function, which copies; matchers cannot be copied.
  auto selector = std::make_shared<const logql::CompiledSelector>(std::move(*compiled));
  bool alias = std::any_of(matchers.begin(), matchers.end(),
                           [](const logql::Matcher& m) { return m.name == kServiceName; });
  std::function<bool(const LabelSet&)> condition = [selector, alias](const LabelSet& labels) {
    return selector->Matches(alias ? WithServiceName(labels) : labels);
  };
  return condition;
}

Result<logql::SourceStats> StoreEntrySource::Read(
    const logql::Selection& selection, const std::function<bool(const logql::Entry&)>& visit) {
  auto condition = StreamCondition(selection.matchers);
  if (!condition) return std::move(condition).error();
  store::ScanRequest request;
  request.start_ns = selection.start_ns;
  request.end_ns = selection.end_ns;
  request.stream_matches = std::move(*condition);
  request.line_filters = StoreFilters(selection.filters);
  request.order = StoreOrder(selection.order);
  request.cancelled = selection.cancelled;
  request.limit = selection.limit;

  AliasedStreams aliased;
  auto scanned = store_.Scan(request, [&](const store::ScannedRow& row) {
    const LabelSet& stream = add_service_name_ ? aliased.Of(row.stream) : row.stream;
    return visit(logql::Entry{row.time_ns, stream, row.metadata, row.line});
  });
  if (!scanned) return std::move(scanned).error();
  return SourceStatsOf(*std::move(scanned));
}

Result<logql::EntryCounts> StoreEntrySource::Count(const logql::CountSelection& selection) {
  auto condition = StreamCondition(selection.matchers);
  if (!condition) return std::move(condition).error();
  store::CountRequest request;
  request.edges = selection.edges;
  request.stream_matches = std::move(*condition);
  request.line_filters = StoreFilters(selection.filters);
  request.metadata = StoreNames(selection.metadata);
  AliasedStreams aliased;
  request.group_of = [&](const LabelSet& stream, const LabelSet& metadata) {
    return selection.group_of(add_service_name_ ? aliased.Of(stream) : stream, metadata);
  };
  request.bytes = selection.bytes;
  request.max_memory_bytes = selection.max_bytes;
  request.cancelled = selection.cancelled;
  auto counted = store_.Count(request);
  if (!counted) return std::move(counted).error();
  logql::EntryCounts counts{{}, SourceStatsOf(std::move(counted->stats))};
  for (store::CountedGroup& group : counted->groups) {
    logql::GroupCounts& out = counts.groups.emplace_back();
    out.first = group.first;
    out.intervals.reserve(group.intervals.size());
    for (const store::RowCount& count : group.intervals) {
      out.intervals.push_back({count.rows, count.line_bytes});
    }
    group = {};  // at most one exists twice
  }
  return counts;
}

bool MentionsServiceName(std::string_view query) {
  return query.find(kServiceName) != std::string_view::npos;
}

}  // namespace dunlin::api
