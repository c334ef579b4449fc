#include "controller/cli/commands.h"
#include "controller/cli/log_pages.h"
#include "controller/cli/render.h"
#include "protocol/base/text.h"

namespace dunlin::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds kDefaultRange = 1h;

void PrintWarnings(const Context& context, const LogAnswer& answer) {
  for (const std::string& warning : answer.warnings) {
    context.terminal.PrintError(Join("dunlin: warning: ", warning, "\n"));
  }
}

ExitStatus PrintLines(const Context& context, const QueryCommand& command, LogTime from,
                      LogTime to) {
  bool newest_first = !command.forward;
  auto style = command.raw ? EntryStyle::kRaw : EntryStyle::kWithService;
  RangePager pager(NanosecondsOf(from), NanosecondsOf(to), command.limit, newest_first);
  while (auto page = pager.Next()) {
    auto fetched = FetchPage(context, command.query, *page, newest_first);
    if (auto* failure = std::get_if<Failure>(&fetched)) return Report(context, *failure);
    auto& answer = std::get<LogAnswer>(fetched);
    PrintWarnings(context, answer);
    auto entries = pager.Take(std::move(answer.entries));
    context.terminal.Print(EntriesText(context, entries, style));
  }
  return ExitStatus::kOk;
}

/// `path` with its query string answers numbers.
ExitStatus PrintNumbers(const Context& context, const std::string& path) {
  controller::ClientRequest request;
  request.timeout = 2min;
  auto asked = Ask(context, Server::kCollector, path, std::move(request));
  if (auto* failure = std::get_if<Failure>(&asked)) return Report(context, *failure);
  auto answer = ParseLogAnswer(std::get<http::Response>(asked).body, /*newest_first=*/false);
  if (!answer) {
    return Report(context, {ExitStatus::kFailed, answer.error().message(), "", false});
  }
  PrintWarnings(context, *answer);
  if (!context.common.json) {
    context.terminal.Print(RenderSamples(context.terminal, answer->samples));
    return ExitStatus::kOk;
  }
  std::string text;
  for (const Sample& sample : answer->samples) text += SampleJson(sample);
  context.terminal.Print(text);
  return ExitStatus::kOk;
}

}  // namespace

ExitStatus RunQuery(const Context& context, const QueryCommand& command) {
  LogTime now = context.clock.Now();
  // The end is exclusive: what was written until now is meant, too.
  LogTime to = command.to ? command.to->Resolve(now) : now + 1ns;
  LogTime from = command.from ? command.from->Resolve(now) : to - kDefaultRange;
  if (from > to) {
    return Report(context, {ExitStatus::kUsage,
                            Join("the range ends (", RenderTime(to), ") before it begins (",
                                 RenderTime(from), ")"),
                            "", false});
  }
  if (IsLogQuery(command.query)) return PrintLines(context, command, from, to);

  std::string query = http::EncodePercent(command.query);
  if (!command.from && !command.step) {
    return PrintNumbers(context,
                        Join("/loki/api/v1/query?query=", query, "&time=", NanosecondsOf(to)));
  }
  std::string path = Join("/loki/api/v1/query_range?query=", query, "&start=", NanosecondsOf(from),
                          "&end=", NanosecondsOf(to));
  if (command.step) {
    path += "&step=";
    AppendDouble(path, std::chrono::duration<double>(*command.step).count());
  }
  return PrintNumbers(context, path);
}

}  // namespace dunlin::cli
