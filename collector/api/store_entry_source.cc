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
  for (const logql::LineFilter& filter : selection.filters) {
    request.line_filters.push_back(StoreFilter(filter));
  }
  request.order = StoreOrder(selection.order);
  request.cancelled = selection.cancelled;

  AliasedStreams aliased;
  auto scanned = store_.Scan(request, [&](const store::ScannedRow& row) {
    const LabelSet& stream = add_service_name_ ? aliased.Of(row.stream) : row.stream;
    return visit(logql::Entry{row.time_ns, stream, row.metadata, row.line});
  });
  if (!scanned) return std::move(scanned).error();
  return logql::SourceStats{scanned->bytes_scanned, scanned->rows_scanned, scanned->segments,
                            scanned->blocks_read, std::move(scanned->warnings)};
}

bool MentionsServiceName(std::string_view query) {
  return query.find(kServiceName) != std::string_view::npos;
}

}  // namespace dunlin::api
