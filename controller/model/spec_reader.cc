#include "controller/model/spec_reader.h"

#include <algorithm>
#include <array>
#include <set>

#include "protocol/base/label_set.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::controller {
namespace {

constexpr std::array<std::string_view, 8> kStopSignals = {"TERM", "INT",  "QUIT", "HUP",
                                                          "USR1", "USR2", "ABRT", "KILL"};
/// Labels that say where an entry comes from; a spec cannot claim them.
constexpr std::array<std::string_view, 8> kReservedLabels = {
    "project", "service", "service_name", "deployment", "container", "output", "host", "role"};
/// Variables of the agent itself: a spec that set one would reconfigure the agent.
constexpr std::string_view kReservedPrefix = "DUNLIN_";

template <typename List>
bool Contains(const List& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool IsEnvironmentName(std::string_view name) { return IsValidLabelName(name); }

/// "UID" or "UID:GID" in decimal.
bool IsUser(std::string_view text) {
  auto parts = Split(text, ':');
  if (parts.size() > 2) return false;
  return std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
    auto id = ParseInteger<std::uint32_t>(part);
    return id && *id != UINT32_MAX;  // (uid_t)-1 means "unchanged" to the kernel
  });
}

}  // namespace

void SpecReader::Refuse(std::string field, std::string code, std::string detail) {
  out_.errors.push_back({std::move(field), std::move(code), std::move(detail)});
}

void SpecReader::Read(std::string_view json) {
  simdjson::dom::parser parser;
  if (parser.allocate(json.size(), kMaxDepth) != simdjson::SUCCESS) {
    Refuse("", "too_large", "the document does not fit in memory");
    return;
  }
  Element root;
  if (auto error = parser.parse(json.data(), json.size()).get(root)) {
    out_.malformed = true;
    bool too_deep = error == simdjson::DEPTH_ERROR;
    Refuse("", too_deep ? "too_deep" : "malformed_json",
           too_deep ? Join("objects and arrays nest at most ", kMaxDepth, " deep")
                    : Join("the body is not JSON: ", simdjson::error_message(error)));
    return;
  }
  Object object;
  if (root.get(object)) {
    Refuse("", "wrong_type", "the body must be a JSON object");
    return;
  }
  ForEachMember("", object, [this](std::string_view name, const std::string&, Element value) {
    ReadField(name, value);
  });
}

template <typename Function>
void SpecReader::ForEachMember(const std::string& prefix, Object object, Function read) {
  std::set<std::string_view> seen;
  for (auto [name, value] : object) {
    std::string field = Join(prefix, name);
    if (!seen.insert(name).second) {
      Refuse(field, "duplicate_field", "this name comes twice; which one counts is not defined");
      continue;
    }
    read(name, field, value);
  }
}

void SpecReader::ReadField(std::string_view name, Element value) {
  DeployRequest& request = out_.request;
  if (name == "command") return ReadCommand(value);
  if (name == "env") return ReadEnvironment(value);
  if (name == "labels") return ReadLabels(value);
  if (name == "readiness") return ReadReadiness(value);
  if (name == "stop") return ReadStop(value);
  if (name == "mode") return ReadMode(value);
  if (name == "message") {
    if (auto text = ReadText("message", value, kMaxMessageBytes)) request.message = *text;
    return;
  }
  if (name == "workdir") {
    auto text = ReadText("workdir", value, kMaxPathBytes);
    if (text && (text->empty() || text->front() != '/')) {
      return Refuse("workdir", "invalid_path", "must be an absolute path, such as /srv/app");
    }
    request.workdir = std::move(text);
    return;
  }
  if (name == "user") {
    auto text = ReadText("user", value, 64);
    if (text && !IsUser(*text)) {
      return Refuse("user", "invalid_user", "must be UID or UID:GID in decimal, such as 1000:1000");
    }
    request.user = std::move(text);
    return;
  }
  if (name == "port") {
    if (auto port = ReadInteger("port", value, 1, 65535)) {
      request.port = static_cast<std::uint16_t>(*port);
    }
    return;
  }
  if (name == "image" || name == "artifact") {
    return Refuse(std::string(name), "unsupported",
                  "this controller runs commands of its own machine; give a command instead");
  }
  Refuse(std::string(name), "unknown_field", Join("there is no field ", name));
}

void SpecReader::ReadCommand(Element value) {
  simdjson::dom::array array;
  if (value.get(array)) {
    return Refuse("command", "wrong_type",
                  "must be an array of strings: the program, then its arguments; a shell line is "
                  "[\"sh\", \"-c\", \"...\"]");
  }
  if (array.size() == 0) return Refuse("command", "required", "must name a program");
  if (array.size() > kMaxArguments) {
    return Refuse("command", "too_many", Join("at most ", kMaxArguments, " arguments"));
  }
  std::vector<std::string> command;
  for (Element item : array) {
    std::string field = Join("command[", command.size(), "]");
    auto text = ReadText(field, item, kMaxArgumentBytes);
    if (!text) return;
    if (command.empty() && text->empty()) {
      return Refuse(field, "required", "must name a program");
    }
    command.push_back(std::move(*text));
  }
  out_.request.command = std::move(command);
}

void SpecReader::ReadEnvironment(Element value) {
  auto object = ReadObject("env", value);
  if (!object) return;
  std::map<std::string, std::string> env;
  ForEachMember(
      "env.", *object, [&](std::string_view name, const std::string& field, Element item) {
        if (!IsEnvironmentName(name)) {
          return Refuse(field, "invalid_name", "a variable's name is [A-Za-z_][A-Za-z0-9_]*");
        }
        if (name.starts_with(kReservedPrefix)) {
          return Refuse(field, "reserved_name",
                        "names that begin with DUNLIN_ configure the agent");
        }
        if (auto text = ReadText(field, item, kMaxEnvironmentValueBytes)) {
          env.emplace(name, std::move(*text));
        }
      });
  out_.request.env = std::move(env);
}

void SpecReader::ReadLabels(Element value) {
  auto object = ReadObject("labels", value);
  if (!object) return;
  std::map<std::string, std::string> labels;
  ForEachMember(
      "labels.", *object, [&](std::string_view name, const std::string& field, Element item) {
        if (!IsValidLabelName(name) || name.starts_with("__")) {
          return Refuse(field, "invalid_name",
                        "a label's name is [a-zA-Z_][a-zA-Z0-9_]*, not beginning with __");
        }
        if (Contains(kReservedLabels, name)) {
          return Refuse(field, "reserved_name", "this label is set by the controller");
        }
        auto text = ReadText(field, item, kMaxLabelValueBytes);
        if (!text) return;
        if (text->find('\n') != std::string::npos) {
          return Refuse(field, "invalid_value", "a label's value is one line");
        }
        labels.emplace(name, std::move(*text));
      });
  out_.request.labels = std::move(labels);
}

void SpecReader::ReadReadiness(Element value) {
  auto object = ReadObject("readiness", value);
  if (!object) return;
  Readiness readiness;
  ForEachMember(
      "readiness.", *object, [&](std::string_view name, const std::string& field, Element item) {
        if (name == "kind") {
          auto kind = ReadText(field, item, 64);
          if (!kind) return;
          if (*kind == "uptime") {
            readiness.kind = Readiness::Kind::kUptime;
          } else if (*kind == "http") {
            readiness.kind = Readiness::Kind::kHttp;
          } else if (*kind == "tcp") {
            readiness.kind = Readiness::Kind::kTcp;
          } else {
            Refuse(field, "unsupported", Join("\"", *kind, "\" is not one of uptime, http, tcp"));
          }
        } else if (name == "path") {
          auto path = ReadText(field, item, kMaxPathBytes);
          if (!path) return;
          bool printable = std::all_of(path->begin(), path->end(), [](char c) {
            return static_cast<unsigned char>(c) > ' ' && c != 0x7F;
          });
          if (path->empty() || path->front() != '/' || !printable) {
            return Refuse(field, "invalid_path", "must begin with / and hold no spaces");
          }
          readiness.path = std::move(*path);
        } else if (name == "port") {
          if (auto port = ReadInteger(field, item, 1, 65535)) {
            readiness.port = static_cast<std::uint16_t>(*port);
          }
        } else if (name == "status") {
          if (auto status = ReadInteger(field, item, 100, 599)) {
            readiness.status = static_cast<int>(*status);
          }
        } else if (name == "interval") {
          if (auto time = ReadDuration(field, item, 50ms, 5min)) readiness.interval = *time;
        } else if (name == "timeout") {
          if (auto time = ReadDuration(field, item, 50ms, 1min)) readiness.timeout = *time;
        } else if (name == "min_healthy") {
          if (auto time = ReadDuration(field, item, 0s, 30min)) readiness.min_healthy = *time;
        } else if (name == "deadline") {
          if (auto time = ReadDuration(field, item, 100ms, 30min)) readiness.deadline = *time;
        } else {
          Refuse(field, "unknown_field", Join("readiness has no field ", name));
        }
      });
  out_.request.readiness = std::move(readiness);
}

void SpecReader::ReadStop(Element value) {
  auto object = ReadObject("stop", value);
  if (!object) return;
  StopPlan stop;
  ForEachMember("stop.", *object,
                [&](std::string_view name, const std::string& field, Element item) {
                  if (name == "signal") {
                    auto text = ReadText(field, item, 16);
                    if (!text) return;
                    std::string_view bare = *text;
                    if (bare.starts_with("SIG")) bare.remove_prefix(3);
                    if (!Contains(kStopSignals, bare)) {
                      return Refuse(field, "unsupported",
                                    Join("\"", *text,
                                         "\" is not one of TERM, INT, QUIT, HUP, USR1, USR2, ABRT, "
                                         "KILL"));
                    }
                    stop.signal = bare;
                  } else if (name == "grace") {
                    if (auto time = ReadDuration(field, item, 0s, 30min)) stop.grace = *time;
                  } else {
                    Refuse(field, "unknown_field", Join("stop has no field ", name));
                  }
                });
  out_.request.stop = std::move(stop);
}

void SpecReader::ReadMode(Element value) {
  auto text = ReadText("mode", value, 64);
  if (!text) return;
  if (*text == "queue") {
    out_.request.mode = DeployMode::kQueue;
  } else if (*text == "reject") {
    out_.request.mode = DeployMode::kReject;
  } else {
    Refuse("mode", "unsupported", Join("\"", *text, "\" is not one of queue, reject"));
  }
}

std::optional<SpecReader::Object> SpecReader::ReadObject(const std::string& field, Element value) {
  Object object;
  if (value.get(object)) {
    Refuse(field, "wrong_type", "must be an object");
    return std::nullopt;
  }
  return object;
}

std::optional<std::string> SpecReader::ReadText(const std::string& field, Element value,
                                                std::size_t max_bytes) {
  std::string_view text;
  if (value.get(text)) {
    Refuse(field, "wrong_type", "must be a string");
    return std::nullopt;
  }
  if (text.size() > max_bytes) {
    Refuse(field, "too_long", Join("at most ", max_bytes, " bytes"));
    return std::nullopt;
  }
  if (text.find('\0') != std::string_view::npos) {
    Refuse(field, "invalid_value", "must not hold a NUL byte, which no process could receive");
    return std::nullopt;
  }
  return std::string(text);
}

std::optional<std::chrono::nanoseconds> SpecReader::ReadDuration(const std::string& field,
                                                                 Element value,
                                                                 std::chrono::nanoseconds min,
                                                                 std::chrono::nanoseconds max) {
  auto text = ReadText(field, value, 64);
  if (!text) return std::nullopt;
  auto duration = ParseDuration(*text);
  if (!duration) {
    Refuse(field, "invalid_duration",
           Join("\"", *text, "\" is not a duration such as 10s or 500ms"));
    return std::nullopt;
  }
  if (*duration < min || *duration > max) {
    Refuse(field, "out_of_range",
           Join("must be from ", FormatDuration(min), " to ", FormatDuration(max)));
    return std::nullopt;
  }
  return *duration;
}

std::optional<std::int64_t> SpecReader::ReadInteger(const std::string& field, Element value,
                                                    std::int64_t min, std::int64_t max) {
  std::int64_t number = 0;
  if (value.get(number)) {
    Refuse(field, "wrong_type", "must be a whole number");
    return std::nullopt;
  }
  if (number < min || number > max) {
    Refuse(field, "out_of_range", Join("must be from ", min, " to ", max));
    return std::nullopt;
  }
  return number;
}

}  // namespace dunlin::controller
