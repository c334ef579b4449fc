#include "collector/ingest/loki_push.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "collector/ingest/entry_codec.h"
#include "collector/ingest/level.h"
#include "protocol/base/text.h"

namespace dunlin::ingest {
namespace {

using collector::RejectReason;
namespace dom = simdjson::dom;

Error Malformed(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

/// A rule that a stream or an entry breaks.
struct Fault {
  RejectReason reason;
  std::string text;
};

/// One body being read; `where` names the place for messages: "streams[2].values[7]".
class PushReader {
 public:
  PushReader(LogTime now, const PushLimits& limits)
      : limits_(limits), latest_ns_(NanosecondsOf(now + limits.max_future)) {}

  Result<void> ReadBody(const dom::element& root) {
    dom::object object;
    if (root.get(object) != simdjson::SUCCESS) return Malformed("the body is not a JSON object");
    dom::element streams;
    if (object["streams"].get(streams) != simdjson::SUCCESS) {
      return Malformed("the body has no \"streams\"");
    }
    dom::array array;
    if (streams.is_null()) return {};
    if (streams.get(array) != simdjson::SUCCESS) return Malformed("\"streams\" is not an array");
    std::size_t index = 0;
    for (dom::element stream : array) {
      where_ = Join("streams[", index++, "]");
      if (auto read = ReadStream(stream); !read) return read;
    }
    return {};
  }

  DecodedPush Finish() && {
    push_.entries = encoder_.entries();
    push_.payload = encoder_.Finish();
    return std::move(push_);
  }

 private:
  Result<void> ReadStream(const dom::element& element) {
    dom::object object;
    if (element.get(object) != simdjson::SUCCESS) return Malformed(where_ + " is not an object");
    dom::object labels;
    if (object["stream"].get(labels) != simdjson::SUCCESS) {
      return Malformed(where_ + " has no object \"stream\" with its labels");
    }
    dom::element values;
    dom::array entries;
    if (object["values"].get(values) != simdjson::SUCCESS) {
      return Malformed(where_ + " has no \"values\"");
    }
    if (values.is_null()) return {};
    if (values.get(entries) != simdjson::SUCCESS) {
      return Malformed(where_ + ".values is not an array");
    }

    LabelSet stream;
    std::optional<Fault> fault;
    if (auto read = ReadLabels(labels, stream, fault); !read) return read;
    Level stated = LevelOfLabels(stream);
    std::uint32_t number = fault ? 0 : encoder_.AddStream(stream);
    bool has_level = stream.Has("detected_level");

    std::size_t index = 0;
    for (dom::element entry : entries) {
      ParsedEntry parsed;
      if (auto read = ReadEntry(entry, index++, parsed); !read) return read;
      if (fault) {
        Reject(*fault, index - 1);
      } else if (parsed.fault) {
        Reject(*parsed.fault, index - 1);
      } else {
        if (!has_level) Enrich(parsed, stated);
        encoder_.Add(number, encoder_.AddMetadata(parsed.metadata), parsed.time_ns, parsed.line);
        push_.line_bytes += parsed.line.size();
      }
    }
    return {};
  }

  Result<void> ReadLabels(const dom::object& object, LabelSet& labels,
                          std::optional<Fault>& fault) {
    std::vector<LabelSet::Label> pairs;
    for (dom::key_value_pair field : object) {
      std::string_view value;
      if (field.value.get(value) != simdjson::SUCCESS) {
        return Malformed(Join(where_, ".stream.", field.key, " is not a string"));
      }
      pairs.emplace_back(field.key, value);
    }
    fault = FaultOfLabels(pairs);
    if (!fault) labels = LabelSet(std::move(pairs));
    return {};
  }

  std::optional<Fault> FaultOfLabels(const std::vector<LabelSet::Label>& pairs) const {
    if (pairs.empty()) {
      return Fault{RejectReason::kInvalidLabels, "a stream needs at least one label"};
    }
    if (pairs.size() > limits_.labels) {
      return Fault{RejectReason::kTooManyLabels,
                   Join("a stream has more than ", limits_.labels, " labels")};
    }
    std::unordered_set<std::string_view> names;
    bool has_value = false;
    for (const auto& [name, value] : pairs) {
      if (name.size() > limits_.label_name_bytes) {
        return Fault{RejectReason::kLabelNameTooLong,
                     Join("a label name is longer than ", limits_.label_name_bytes, " bytes")};
      }
      if (!IsValidLabelName(name)) {
        return Fault{RejectReason::kInvalidLabels, Join("\"", name, "\" is not a label name")};
      }
      if (value.size() > limits_.label_value_bytes) {
        return Fault{RejectReason::kLabelValueTooLong,
                     Join("the value of label ", name, " is longer than ",
                          limits_.label_value_bytes, " bytes")};
      }
      if (!names.insert(name).second) {
        return Fault{RejectReason::kInvalidLabels, Join("label ", name, " occurs twice")};
      }
      has_value = has_value || !value.empty();
    }
    if (!has_value) {
      return Fault{RejectReason::kInvalidLabels, "a stream needs a label with a value"};
    }
    return std::nullopt;
  }

  struct ParsedEntry {
    std::int64_t time_ns = 0;
    std::string_view line;
    LabelSet metadata;
    std::optional<Fault> fault;
  };

  Result<void> ReadEntry(const dom::element& element, std::size_t index, ParsedEntry& out) {
    auto place = [&] { return Join(where_, ".values[", index, "]"); };
    dom::array array;
    if (element.get(array) != simdjson::SUCCESS) return Malformed(place() + " is not an array");
    std::size_t size = array.size();
    if (size < 2 || size > 3) {
      return Malformed(place() + " is not [\"<time in ns>\", \"<line>\", {metadata}]");
    }
    auto item = array.begin();
    std::string_view time;
    std::optional<std::int64_t> time_ns;
    if ((*item).get(time) == simdjson::SUCCESS) time_ns = ParseInteger<std::int64_t>(time);
    if (!time_ns) {
      return Malformed(place() + "[0] is not a time: a string of nanoseconds since 1970");
    }
    out.time_ns = *time_ns;
    ++item;
    if ((*item).get(out.line) != simdjson::SUCCESS) {
      return Malformed(place() + "[1], the line, is not a string");
    }
    if (size == 3) {
      ++item;
      if (auto read = ReadMetadata(*item, place() + "[2]", out); !read) return read;
    }
    if (out.line.size() > limits_.line_bytes) {
      out.fault = Fault{RejectReason::kLineTooLong,
                        Join("a line is longer than ", limits_.line_bytes, " bytes")};
    } else if (out.time_ns > latest_ns_) {
      out.fault = Fault{RejectReason::kTooFarInFuture, "the time is too far in the future"};
    }
    return {};
  }

  Result<void> ReadMetadata(const dom::element& element, const std::string& place,
                            ParsedEntry& out) {
    dom::object object;
    if (element.get(object) != simdjson::SUCCESS) {
      return Malformed(place + ", the structured metadata, is not an object");
    }
    std::vector<LabelSet::Label> pairs;
    std::size_t bytes = 0;
    for (dom::key_value_pair field : object) {
      std::string_view value;
      if (field.value.get(value) != simdjson::SUCCESS) {
        return Malformed(Join(place, ".", field.key, " is not a string"));
      }
      bytes += field.key.size() + value.size();
      pairs.emplace_back(field.key, value);
    }
    if (pairs.size() > limits_.metadata_pairs || bytes > limits_.metadata_bytes) {
      out.fault = Fault{RejectReason::kMetadataTooLarge,
                        Join("structured metadata exceeds ", limits_.metadata_pairs, " pairs or ",
                             limits_.metadata_bytes, " bytes")};
    }
    out.metadata = LabelSet(std::move(pairs));
    return {};
  }

  static void Enrich(ParsedEntry& entry, Level stated_by_stream) {
    if (entry.metadata.Has("detected_level")) return;
    Level level = stated_by_stream;
    if (level == Level::kUnknown) level = LevelOfLabels(entry.metadata);
    if (level == Level::kUnknown) level = DetectLevel(entry.line);
    entry.metadata.Set("detected_level", LevelName(level));
  }

  void Reject(const Fault& fault, std::size_t index) {
    if (push_.first_fault.empty()) {
      push_.first_fault = Join(where_, ".values[", index, "]: ", fault.text);
    }
    auto known = std::find_if(push_.rejected.begin(), push_.rejected.end(),
                              [&](const auto& r) { return r.reason == fault.reason; });
    if (known == push_.rejected.end()) {
      push_.rejected.push_back({fault.reason, 1});
    } else {
      ++known->entries;
    }
  }

  const PushLimits& limits_;
  std::int64_t latest_ns_;
  std::string where_;
  EntryEncoder encoder_;
  DecodedPush push_;
};

}  // namespace

std::uint64_t DecodedPush::rejected_entries() const {
  std::uint64_t sum = 0;
  for (const Rejected& r : rejected) sum += r.entries;
  return sum;
}

Result<DecodedPush> DecodeLokiPushJson(std::string_view body, LogTime now,
                                       const PushLimits& limits) {
  dom::parser parser;
  dom::element root;
  // simdjson reads past the end, so it makes a padded copy.
  if (auto error = parser.parse(body.data(), body.size(), /*realloc_if_needed=*/true).get(root);
      error != simdjson::SUCCESS) {
    return Malformed(Join("the body is not JSON: ", simdjson::error_message(error)));
  }
  PushReader reader(now, limits);
  if (auto read = reader.ReadBody(root); !read) return std::move(read).error();
  return std::move(reader).Finish();
}

}  // namespace dunlin::ingest
