#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "controller/cli/client.h"
#include "controller/cli/log_answer.h"
#include "controller/cli/log_cursor.h"

namespace dunlin::cli {

/// Fetches one page of a log query.
std::variant<LogAnswer, Failure> FetchPage(const Context& context, std::string_view query,
                                           const LogPage& page, bool newest_first);

/// What is shown of an entry beside its time and line; kRaw shows the line alone.
enum class EntryStyle { kWithService, kPlain, kRaw };

/// Entries as the style, --json or the terminal wants them.
std::string EntriesText(const Context& context, const std::vector<FoundEntry>& entries,
                        EntryStyle style);

/// Whether a LogQL query asks for lines (it begins with a selector) rather than for numbers.
bool IsLogQuery(std::string_view query);

/// {service="web", project="shop"}, values quoted; an empty project is left out.
std::string ServiceSelector(std::string_view service, std::string_view project);

}  // namespace dunlin::cli
