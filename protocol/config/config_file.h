#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace dunlin::config {

/// One key of a configuration file with its value as text, as a flag would give it.
struct FileSetting {
  std::string key;
  std::string text;
  enum class Kind { kString, kInteger, kBool } kind = Kind::kString;
  std::string where;  // "dunlin.toml:3", for errors
};

/// The top-level keys of a TOML file (TOML 1.0), in the order of the file. Strings, whole numbers
/// and booleans only. Errors: kInvalidArgument with the place, for malformed TOML and for other
/// kinds of value.
Result<std::vector<FileSetting>> ParseConfigFile(const std::string& path,
                                                 std::string_view contents);

}  // namespace dunlin::config
