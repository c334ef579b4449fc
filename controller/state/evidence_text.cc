#include "controller/state/evidence_text.h"

#include <simdjson.h>

#include "protocol/base/json_writer.h"

namespace dunlin::controller {
namespace {

void WriteList(JsonWriter& out, const std::vector<std::string>& list) {
  out.BeginArray();
  for (const std::string& item : list) out.String(item);
  out.EndArray();
}

std::vector<std::string> ReadList(const simdjson::dom::element& element) {
  std::vector<std::string> list;
  simdjson::dom::array array;
  if (element.get(array)) return list;
  for (simdjson::dom::element item : array) {
    std::string_view text;
    if (!item.get(text)) list.emplace_back(text);
  }
  return list;
}

}  // namespace

std::string EvidenceToJson(const Evidence& evidence) {
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  if (evidence.exit_code) out.Field("exit_code", *evidence.exit_code);
  if (evidence.signal) out.Field("signal", *evidence.signal);
  if (!evidence.probe.empty()) out.Field("probe", evidence.probe);
  out.Key("last_logs");
  WriteList(out, evidence.last_logs);
  out.EndObject();
  return text;
}

std::string ListToJson(const std::vector<std::string>& list) {
  std::string text;
  JsonWriter out(text);
  WriteList(out, list);
  return text;
}

Evidence EvidenceFromJson(std::string_view json) {
  Evidence evidence;
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(json.data(), json.size()).get(root)) return evidence;
  std::int64_t number = 0;
  if (!root["exit_code"].get(number)) evidence.exit_code = static_cast<int>(number);
  if (!root["signal"].get(number)) evidence.signal = static_cast<int>(number);
  std::string_view probe;
  if (!root["probe"].get(probe)) evidence.probe = probe;
  simdjson::dom::element logs;
  if (!root["last_logs"].get(logs)) evidence.last_logs = ReadList(logs);
  return evidence;
}

std::vector<std::string> ListFromJson(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(json.data(), json.size()).get(root)) return {};
  return ReadList(root);
}

}  // namespace dunlin::controller
