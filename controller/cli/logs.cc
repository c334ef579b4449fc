#include <algorithm>

#include "controller/cli/commands.h"
#include "controller/cli/log_pages.h"
#include "protocol/base/text.h"

namespace dunlin::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds kPollInterval = 500ms;

/// Asks for new lines until told to stop. A collector that is away is waited for: what it has
/// stored meanwhile is shown when it is back.
ExitStatus Follow(const Context& context, const std::string& query, EntryStyle style,
                  FollowCursor cursor) {
  bool away = false;
  while (cursor.more() || context.pause(kPollInterval)) {
    LogPage page = cursor.Next(NanosecondsOf(context.clock.Now()));
    auto fetched = FetchPage(context, query, page, /*newest_first=*/false);
    if (auto* failure = std::get_if<Failure>(&fetched)) {
      if (!failure->transient) return Report(context, *failure);
      if (!away) context.terminal.PrintError(Join("dunlin: ", failure->message, "\n  Waiting.\n"));
      away = true;
      if (!context.pause(kPollInterval)) break;
      continue;
    }
    if (away) context.terminal.PrintError("dunlin: the collector answers again\n");
    away = false;
    auto entries = cursor.Take(page, std::move(std::get<LogAnswer>(fetched).entries));
    context.terminal.Print(EntriesText(context, entries, style));
  }
  return ExitStatus::kOk;
}

}  // namespace

ExitStatus RunLogs(const Context& context, const LogsCommand& command) {
  std::string query = ServiceSelector(command.service, command.project);
  auto style = command.raw ? EntryStyle::kRaw : EntryStyle::kPlain;
  LogTime now = context.clock.Now();
  std::int64_t since_ns = NanosecondsOf(command.since.Resolve(now));
  std::int64_t end_ns = std::max(NanosecondsOf(now) + 1, since_ns);

  RangePager pager(since_ns, end_ns, command.limit, /*newest_first=*/true);
  std::vector<FoundEntry> latest;
  while (auto page = pager.Next()) {
    auto fetched = FetchPage(context, query, *page, /*newest_first=*/true);
    if (auto* failure = std::get_if<Failure>(&fetched)) return Report(context, *failure);
    auto entries = pager.Take(std::move(std::get<LogAnswer>(fetched).entries));
    std::move(entries.begin(), entries.end(), std::back_inserter(latest));
  }
  std::reverse(latest.begin(), latest.end());
  context.terminal.Print(EntriesText(context, latest, style));
  if (!command.follow) {
    if (latest.empty()) {
      context.terminal.PrintError(Join("dunlin: no lines of ", query, " in that time\n"));
    }
    return ExitStatus::kOk;
  }
  // Older lines that the limit left out must not come back as late ones.
  bool cut = latest.size() >= command.limit;
  std::int64_t floor_ns = cut ? latest.front().time_ns + 1 : since_ns;
  return Follow(context, query, style, FollowCursor(floor_ns, latest));
}

}  // namespace dunlin::cli
