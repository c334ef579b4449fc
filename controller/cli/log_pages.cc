#include "controller/cli/log_pages.h"

#include <algorithm>

#include "controller/cli/render.h"
#include "protocol/base/text.h"

namespace dunlin::cli {
namespace {

constexpr std::string_view kEncodingHeader = "X-Dunlin-Line-Encoding";

}  // namespace

std::variant<LogAnswer, Failure> FetchPage(const Context& context, std::string_view query,
                                           const LogPage& page, bool newest_first) {
  controller::ClientRequest request;
  request.timeout = std::chrono::minutes(2);  // a wide search takes its time
  // Lines are bytes. A server that does not know the header answers text, and does not repeat it.
  request.headers.emplace_back(kEncodingHeader, "base64");
  auto asked = Ask(context, Server::kCollector,
                   Join("/loki/api/v1/query_range?query=", http::EncodePercent(query),
                        "&start=", page.start_ns, "&end=", page.end_ns, "&limit=", page.limit,
                        "&direction=", newest_first ? "backward" : "forward"),
                   std::move(request));
  if (auto* failure = std::get_if<Failure>(&asked)) return std::move(*failure);
  const auto& response = std::get<http::Response>(asked);
  auto encoding = response.headers.Get(kEncodingHeader) == "base64" ? LineEncoding::kBase64
                                                                    : LineEncoding::kText;
  auto answer = ParseLogAnswer(response.body, newest_first, encoding);
  if (!answer) return Failure{ExitStatus::kFailed, answer.error().message(), "", false};
  return *std::move(answer);
}

std::string EntriesText(const Context& context, const std::vector<FoundEntry>& entries,
                        EntryStyle style) {
  std::string text;
  for (const FoundEntry& entry : entries) {
    if (style == EntryStyle::kRaw) {
      text += entry.line;
      text.push_back('\n');
    } else if (context.common.json) {
      text += EntryJson(entry);
    } else {
      text += RenderEntry(context.terminal, entry, style == EntryStyle::kWithService);
    }
  }
  return text;
}

bool IsLogQuery(std::string_view query) {
  while (!query.empty()) {
    char c = query.front();
    if (c == '#') {  // a comment, up to the end of its line
      query.remove_prefix(std::min(query.find('\n'), query.size()));
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '(') {
      query.remove_prefix(1);
    } else {
      return c == '{';
    }
  }
  return false;
}

std::string ServiceSelector(std::string_view service, std::string_view project) {
  return LabelSet({{"service", std::string(service)}, {"project", std::string(project)}})
      .ToString();
}

}  // namespace dunlin::cli
