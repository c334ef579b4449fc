#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "collector/logql/entry_counter.h"
#include "collector/logql/entry_source.h"
#include "collector/store/store.h"

namespace dunlin::api {

/// A condition on streams for the store, made from the matchers of a selector; the alias
/// service_name can be asked for like any label. Errors: kInvalidArgument for a regular expression.
Result<std::function<bool(const LabelSet&)>> StreamCondition(
    const std::vector<logql::Matcher>& matchers);

/// Lets queries read from the store, and count in it. Any thread.
class StoreEntrySource : public logql::EntrySource, public logql::EntryCounter {
 public:
  /// With `add_service_name`, streams carry the alias as a label, so that a query can group by it.
  StoreEntrySource(store::Store& store, bool add_service_name)
      : store_(store), add_service_name_(add_service_name) {}

  Result<logql::SourceStats> Read(const logql::Selection& selection,
                                  const std::function<bool(const logql::Entry&)>& visit) override;
  logql::EntryCounter* counter() override { return this; }
  Result<logql::EntryCounts> Count(const logql::CountSelection& selection) override;

 private:
  store::Store& store_;
  bool add_service_name_;
};

/// Whether a query's text can mean the alias at all.
bool MentionsServiceName(std::string_view query);

}  // namespace dunlin::api
