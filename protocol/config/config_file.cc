#include "protocol/config/config_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <exception>

#include "protocol/base/text.h"

namespace dunlin::config {
namespace {

std::string_view KindOf(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::floating_point:
      return "a number with decimals";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    case toml::node_type::none:
    case toml::node_type::string:
    case toml::node_type::integer:
    case toml::node_type::boolean:
      break;
  }
  return "a value";
}

std::string Place(const std::string& path, const toml::source_region& source) {
  return Join(path, ":", source.begin.line);
}

Result<FileSetting> ToSetting(const std::string& path, std::string_view key,
                              const toml::node& node) {
  FileSetting setting;
  setting.key = key;
  setting.where = Place(path, node.source());
  if (const auto* text = node.as_string()) {
    setting.text = text->get();
  } else if (const auto* number = node.as_integer()) {
    setting.kind = FileSetting::Kind::kInteger;
    AppendInteger(setting.text, number->get());
  } else if (const auto* flag = node.as_boolean()) {
    setting.kind = FileSetting::Kind::kBool;
    setting.text = flag->get() ? "true" : "false";
  } else {
    return Error(ErrorCode::kInvalidArgument,
                 Join(setting.where, ": ", key, " is ", KindOf(node),
                      ", expected a string, a whole number, true or false"));
  }
  return setting;
}

}  // namespace

Result<std::vector<FileSetting>> ParseConfigFile(const std::string& path,
                                                 std::string_view contents) {
  try {
    toml::table table = toml::parse(contents, path);
    std::vector<std::pair<toml::source_position, FileSetting>> found;
    for (auto&& [key, node] : table) {
      auto setting = ToSetting(path, key.str(), node);
      if (!setting) return std::move(setting).error();
      found.emplace_back(key.source().begin, *std::move(setting));
    }
    std::sort(found.begin(), found.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<FileSetting> settings;
    for (auto& [position, setting] : found) settings.push_back(std::move(setting));
    return settings;
  } catch (const toml::parse_error& error) {
    return Error(ErrorCode::kInvalidArgument,
                 Join(Place(path, error.source()), ": not TOML: ", error.description()));
  } catch (const std::exception& error) {
    return Error(ErrorCode::kInvalidArgument, Join("cannot read ", path, ": ", error.what()));
  }
}

}  // namespace dunlin::config
