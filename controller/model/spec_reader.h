#pragma once

#include <simdjson.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/model/spec.h"

namespace dunlin::controller {

/// Bounds of one spec: far above what people write, far below what an exec refuses.
inline constexpr std::size_t kMaxArguments = 1024;
inline constexpr std::size_t kMaxArgumentBytes = 32 << 10;
inline constexpr std::size_t kMaxEnvironmentVariables = 1000;
inline constexpr std::size_t kMaxEnvironmentValueBytes = 32 << 10;
inline constexpr std::size_t kMaxLabels = 15;
inline constexpr std::size_t kMaxLabelValueBytes = 1024;
inline constexpr std::size_t kMaxMessageBytes = 4096;
inline constexpr std::size_t kMaxPathBytes = 4095;
inline constexpr std::size_t kMaxDepth = 32;

/// Turns JSON into a DeployRequest and a list of what is wrong with it. One use.
class SpecReader {
 public:
  explicit SpecReader(ParsedDeployRequest& out) : out_(out) {}

  void Read(std::string_view json);

 private:
  using Element = simdjson::dom::element;
  using Object = simdjson::dom::object;

  void ReadField(std::string_view name, Element value);
  void ReadCommand(Element value);
  void ReadEnvironment(Element value);
  void ReadLabels(Element value);
  void ReadReadiness(Element value);
  void ReadStop(Element value);
  void ReadMode(Element value);

  std::optional<Object> ReadObject(const std::string& field, Element value);
  std::optional<std::string> ReadText(const std::string& field, Element value,
                                      std::size_t max_bytes);
  std::optional<std::chrono::nanoseconds> ReadDuration(const std::string& field, Element value,
                                                       std::chrono::nanoseconds min,
                                                       std::chrono::nanoseconds max);
  std::optional<std::int64_t> ReadInteger(const std::string& field, Element value, std::int64_t min,
                                          std::int64_t max);
  /// Calls `read` with each member; reports a name that comes twice.
  template <typename Function>
  void ForEachMember(const std::string& prefix, Object object, Function read);
  void Refuse(std::string field, std::string code, std::string detail);

  ParsedDeployRequest& out_;
};

}  // namespace dunlin::controller
