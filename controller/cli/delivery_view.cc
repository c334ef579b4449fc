#include "controller/cli/delivery_view.h"

#include <simdjson.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "controller/cli/json_fields.h"
#include "protocol/base/rfc3339.h"
#include "protocol/base/text.h"

namespace dunlin::cli {
namespace {

std::optional<LogTime> TimeOf(simdjson::dom::element object, std::string_view name) {
  auto time = ParseRfc3339(TextOf(object, name));
  return time ? std::optional(*time) : std::nullopt;
}

/// Samples of one metric in the text format: the labels as they are written, and the value.
struct Sample {
  std::string_view labels;
  double value = 0;
};

std::vector<Sample> SamplesOf(std::string_view exposition, std::string_view name) {
  std::vector<Sample> samples;
  for (std::string_view line : Split(exposition, '\n')) {
    if (!line.starts_with(name)) continue;
    line.remove_prefix(name.size());
    Sample sample;
    if (line.starts_with('{')) {
      const std::size_t end = line.rfind('}');
      if (end == std::string_view::npos) continue;
      sample.labels = line.substr(1, end - 1);
      line.remove_prefix(end + 1);
    }
    if (!line.starts_with(' ')) continue;  // another metric, whose name begins alike
    line = Trim(line);
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), sample.value);
    if (error == std::errc{} && std::isfinite(sample.value)) samples.push_back(sample);
  }
  return samples;
}

std::optional<std::int64_t> ValueOf(std::string_view exposition, std::string_view name) {
  const auto samples = SamplesOf(exposition, name);
  if (samples.empty()) return std::nullopt;
  return std::llround(samples.front().value);
}

std::optional<bool> FlagOf(std::string_view exposition, std::string_view name) {
  auto value = ValueOf(exposition, name);
  return value ? std::optional(*value != 0) : std::nullopt;
}

/// The value of the only label, such as reason="token".
std::string OnlyLabel(std::string_view labels) {
  const std::size_t begin = labels.find('"');
  const std::size_t end = labels.rfind('"');
  return begin < end ? std::string(labels.substr(begin + 1, end - begin - 1)) : std::string();
}

AgentView::Spool SpoolOf(simdjson::dom::element object) {
  AgentView::Spool spool;
  spool.folder = TextOf(object, "folder");
  spool.state = TextOf(object, "state");
  spool.bytes = IntegerOf(object, "bytes").value_or(0);
  spool.limit_bytes = IntegerOf(object, "limit_bytes").value_or(0);
  spool.lines = IntegerOf(object, "lines").value_or(0);
  spool.oldest = TimeOf(object, "oldest_at");
  if (auto error = ObjectOf(object, "last_error")) {
    spool.error_number = static_cast<int>(IntegerOf(*error, "errno").value_or(0));
    spool.error = TextOf(*error, "message");
    spool.failing_since = TimeOf(*error, "since");
  }
  return spool;
}

AgentView::Adopted AdoptedOf(simdjson::dom::element object) {
  AgentView::Adopted adopted;
  if (auto current = ObjectOf(object, "current")) {
    adopted.current = TextOf(*current, "spool");
    adopted.current_lines = IntegerOf(*current, "lines").value_or(0);
    adopted.current_error = TextOf(*current, "last_error");
  }
  adopted.acknowledged = IntegerOf(object, "acknowledged").value_or(0);
  adopted.waiting_spools = IntegerOf(object, "waiting_spools").value_or(0);
  adopted.held_spools = IntegerOf(object, "held_spools").value_or(0);
  adopted.unusable_spools = IntegerOf(object, "unusable_spools").value_or(0);
  adopted.problem = TextOf(object, "problem");
  return adopted;
}

}  // namespace

Result<AgentView> ParseAgentView(std::string_view body) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  const bool is_object =
      parser.parse(body.data(), body.size()).get(document) == simdjson::SUCCESS &&
      document.is_object();
  auto delivery = is_object ? ObjectOf(document, "delivery") : std::nullopt;
  if (!delivery) {
    return Error(ErrorCode::kCorruption, "what answers there is not an agent of this version");
  }
  AgentView view;
  view.name = Join(TextOf(document, "project"), '/', TextOf(document, "service"), '/',
                   TextOf(document, "container"));
  view.state = TextOf(document, "state");
  view.capture = TextOf(document, "capture");
  for (auto [name, number] : {std::pair("captured", &view.captured),
                              {"acknowledged", &view.acknowledged},
                              {"queued", &view.queued},
                              {"spooled", &view.spooled},
                              {"dropped", &view.dropped},
                              {"queue_bytes", &view.queue_bytes},
                              {"queue_limit_bytes", &view.queue_limit_bytes}}) {
    *number = IntegerOf(*delivery, name).value_or(0);
  }
  if (auto reasons = ObjectOf(*delivery, "dropped_by_reason")) {
    for (auto [reason, count] : simdjson::dom::object(*reasons)) {
      std::int64_t lines = 0;
      if (count.get(lines) == simdjson::SUCCESS && lines > 0) {
        view.dropped_by_reason.emplace_back(std::string(reason), lines);
      }
    }
  }
  view.reading_held = BoolOf(*delivery, "reading_held").value_or(false);
  view.oldest_unsent_seconds = NumberOf(*delivery, "oldest_unsent_seconds").value_or(0);
  view.collector_configured = BoolOf(*delivery, "collector_configured").value_or(false);
  view.connected = BoolOf(*delivery, "connected").value_or(false);
  view.collector = TextOf(*delivery, "collector");
  view.connected_since = TimeOf(*delivery, "connected_since");
  view.last_acknowledged = TimeOf(*delivery, "last_acknowledged_at");
  if (auto pause = ObjectOf(*delivery, "pause")) {
    view.pause = {NumberOf(*pause, "seconds").value_or(0), TextOf(*pause, "reason")};
  }
  if (auto error = ObjectOf(*delivery, "last_error")) {
    view.last_error = {TextOf(*error, "kind"), TextOf(*error, "message"),
                       ParseTlsFailure(TextOf(*error, "tls_failure"))};
  }
  if (auto spool = ObjectOf(document, "spool")) view.spool = SpoolOf(*spool);
  if (auto adopted = ObjectOf(document, "adopted")) view.adopted = AdoptedOf(*adopted);
  if (auto tls = ObjectOf(document, "tls")) {
    view.certificates = {TimeOf(*tls, "certificate_expires_at"), TimeOf(*tls, "ca_expires_at")};
  }
  return view;
}

Result<CollectorView> ParseCollectorView(std::string_view exposition) {
  CollectorView view;
  auto read_only = FlagOf(exposition, "dunlin_store_read_only");
  if (!read_only) {
    return Error(ErrorCode::kCorruption, "what answers there is not a collector of this version");
  }
  view.read_only = *read_only;
  view.disk_full = FlagOf(exposition, "dunlin_store_disk_full");
  view.wal_failed = FlagOf(exposition, "dunlin_store_wal_failed");
  view.disk_free_bytes = ValueOf(exposition, "dunlin_store_disk_free_bytes");
  view.quarantined_segments = ValueOf(exposition, "dunlin_store_quarantined_segments").value_or(0);
  for (const Sample& sample : SamplesOf(exposition, "dunlin_agents")) {
    if (OnlyLabel(sample.labels) == "ok") view.agents_connected = std::llround(sample.value);
  }
  for (const Sample& sample : SamplesOf(exposition, "dunlin_ingest_refused_connections_total")) {
    if (sample.value > 0) {
      view.refused_connections[OnlyLabel(sample.labels)] = std::llround(sample.value);
    }
  }
  // Both ports have the same files: the later end is of what was read last.
  for (const Sample& sample :
       SamplesOf(exposition, "dunlin_tls_certificate_expiry_timestamp_seconds")) {
    const LogTime end{std::chrono::seconds(std::llround(sample.value))};
    const bool is_ca = sample.labels.find("file=\"ca\"") != std::string_view::npos;
    auto& known = is_ca ? view.certificates.ca : view.certificates.certificate;
    known = std::max(known, std::optional(end));
  }
  return view;
}

std::optional<LogTime> ParseHttpDate(std::string_view text) {
  tm parts{};
  const std::string copy(text);
  const char* end = strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return LogTime(std::chrono::seconds(timegm(&parts)));
}

}  // namespace dunlin::cli
