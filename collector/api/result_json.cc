#include "collector/api/result_json.h"

#include <functional>

#include "protocol/base/base64.h"
#include "protocol/base/json_writer.h"
#include "protocol/base/text.h"

namespace dunlin::api {
namespace {

void WriteLabels(JsonWriter& json, const LabelSet& labels) {
  json.BeginObject();
  for (const auto& [name, value] : labels) json.Field(name, value);
  json.EndObject();
}

/// The part of Loki's statistics that is the same for what is in files and in memory.
void WriteChunkStats(JsonWriter& json, const QueryStats& stats) {
  json.Field("totalChunksRef", stats.source.blocks);
  json.Field("totalChunksDownloaded", stats.source.blocks);
  json.Field("chunksDownloadTime", 0);
  json.Key("chunk");
  json.BeginObject();
  json.Field("headChunkBytes", 0);
  json.Field("headChunkLines", 0);
  json.Field("decompressedBytes", stats.source.bytes);
  json.Field("decompressedLines", stats.source.lines);
  json.Field("compressedBytes", 0);
  json.Field("totalDuplicates", 0);
  json.EndObject();
}

std::uint64_t PerSecond(std::uint64_t amount, double seconds) {
  if (seconds <= 0) return 0;
  return static_cast<std::uint64_t>(static_cast<double>(amount) / seconds);
}

void WriteStats(JsonWriter& json, const QueryStats& stats) {
  json.BeginObject();
  json.Key("summary");
  json.BeginObject();
  json.Field("bytesProcessedPerSecond", PerSecond(stats.source.bytes, stats.exec_seconds));
  json.Field("linesProcessedPerSecond", PerSecond(stats.source.lines, stats.exec_seconds));
  json.Field("totalBytesProcessed", stats.source.bytes);
  json.Field("totalLinesProcessed", stats.source.lines);
  json.Field("execTime", stats.exec_seconds);
  json.Field("queueTime", stats.queue_seconds);
  json.Field("subqueries", 0);
  json.Field("totalEntriesReturned", std::uint64_t{stats.entries_returned});
  json.Field("splits", 0);
  json.Field("shards", 0);
  json.Field("totalPostFilterLines", std::uint64_t{stats.entries_returned});
  json.Field("totalStructuredMetadataBytesProcessed", 0);
  json.EndObject();
  json.Key("querier");
  json.BeginObject();
  json.Key("store");
  json.BeginObject();
  WriteChunkStats(json, stats);
  json.EndObject();
  json.EndObject();
  json.Key("ingester");
  json.BeginObject();
  json.Field("totalReached", 0);
  json.Field("totalChunksMatched", 0);
  json.Field("totalBatches", 0);
  json.Field("totalLinesSent", 0);
  json.Key("store");
  json.BeginObject();
  WriteChunkStats(json, QueryStats{});
  json.EndObject();
  json.EndObject();
  json.EndObject();
}

/// The envelope around `write_result`, which writes the value of "result". The order of keys is
/// that which Grafana's streaming reader takes without extra work.
std::string Envelope(std::string_view result_type, const QueryStats& stats, bool categorized,
                     const std::function<void(JsonWriter&)>& write_result) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Field("status", "success");
  if (!stats.source.warnings.empty()) {
    json.Key("warnings");
    json.BeginArray();
    for (const std::string& warning : stats.source.warnings) json.String(warning);
    json.EndArray();
  }
  json.Key("data");
  json.BeginObject();
  json.Field("resultType", result_type);
  if (categorized) {
    json.Key("encodingFlags");
    json.BeginArray();
    json.String("categorize-labels");
    json.EndArray();
  }
  json.Key("result");
  write_result(json);
  json.Key("stats");
  WriteStats(json, stats);
  json.EndObject();
  json.EndObject();
  return out;
}

void WriteEntry(JsonWriter& json, const logql::ResultEntry& entry, const StreamsStyle& style) {
  json.BeginArray();
  json.String(Join(entry.time_ns));
  if (style.base64_lines) {
    std::string encoded;
    AppendBase64(encoded, entry.line);
    json.String(encoded);
  } else {
    json.String(entry.line);
  }
  if (style.categorize_labels) {
    json.BeginObject();
    if (!entry.metadata.empty()) {
      json.Key("structuredMetadata");
      WriteLabels(json, entry.metadata);
    }
    if (!entry.parsed.empty()) {
      json.Key("parsed");
      WriteLabels(json, entry.parsed);
    }
    json.EndObject();
  }
  json.EndArray();
}

/// Seconds since 1970 as a JSON number with at most three decimals.
void WriteSeconds(JsonWriter& json, std::int64_t time_ns) {
  constexpr std::int64_t kMillisecond = 1'000'000;
  std::int64_t milliseconds = time_ns / kMillisecond;
  std::string text;
  if (milliseconds < 0) {
    text.push_back('-');
    milliseconds = -milliseconds;
  }
  AppendInteger(text, milliseconds / 1000);
  if (std::int64_t rest = milliseconds % 1000; rest != 0) {
    std::string digits = Join(1000 + rest);  // keeps leading zeros
    digits[0] = '.';
    while (digits.back() == '0') digits.pop_back();
    text += digits;
  }
  json.Raw(text);
}

void WritePoint(JsonWriter& json, std::int64_t time_ns, double value) {
  std::string text;
  AppendDouble(text, value);
  json.BeginArray();
  WriteSeconds(json, time_ns);
  json.String(text);
  json.EndArray();
}

std::string DataArray(const std::function<void(JsonWriter&)>& write_items) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Field("status", "success");
  json.Key("data");
  json.BeginArray();
  write_items(json);
  json.EndArray();
  json.EndObject();
  return out;
}

}  // namespace

std::string StreamsJson(const std::vector<logql::ResultEntry>& entries, const QueryStats& stats,
                        const StreamsStyle& style) {
  auto view = style.categorize_labels ? logql::LabelView::kCategorized : logql::LabelView::kFolded;
  return Envelope("streams", stats, style.categorize_labels, [&](JsonWriter& json) {
    json.BeginArray();
    for (const logql::ResultStream& stream : logql::GroupByStream(entries, view)) {
      json.BeginObject();
      json.Key("stream");
      WriteLabels(json, stream.labels);
      json.Key("values");
      json.BeginArray();
      for (const logql::ResultEntry* entry : stream.entries) WriteEntry(json, *entry, style);
      json.EndArray();
      json.EndObject();
    }
    json.EndArray();
  });
}

std::string MatrixJson(const std::vector<logql::Series>& series, const QueryStats& stats) {
  return Envelope("matrix", stats, /*categorized=*/false, [&](JsonWriter& json) {
    json.BeginArray();
    for (const logql::Series& one : series) {
      json.BeginObject();
      json.Key("metric");
      WriteLabels(json, one.labels);
      json.Key("values");
      json.BeginArray();
      for (const logql::Sample& sample : one.samples) {
        WritePoint(json, sample.time_ns, sample.value);
      }
      json.EndArray();
      json.EndObject();
    }
    json.EndArray();
  });
}

std::string VectorJson(const std::vector<logql::InstantSample>& samples, std::int64_t time_ns,
                       const QueryStats& stats) {
  return Envelope("vector", stats, /*categorized=*/false, [&](JsonWriter& json) {
    json.BeginArray();
    for (const logql::InstantSample& sample : samples) {
      json.BeginObject();
      json.Key("metric");
      WriteLabels(json, sample.labels);
      json.Key("value");
      WritePoint(json, time_ns, sample.value);
      json.EndObject();
    }
    json.EndArray();
  });
}

std::string ScalarJson(double value, std::int64_t time_ns, const QueryStats& stats) {
  return Envelope("scalar", stats, /*categorized=*/false,
                  [&](JsonWriter& json) { WritePoint(json, time_ns, value); });
}

std::string StringsJson(const std::vector<std::string>& values) {
  return DataArray([&](JsonWriter& json) {
    for (const std::string& value : values) json.String(value);
  });
}

std::string SeriesJson(const std::vector<LabelSet>& sets) {
  return DataArray([&](JsonWriter& json) {
    for (const LabelSet& labels : sets) WriteLabels(json, labels);
  });
}

}  // namespace dunlin::api
