#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>

namespace dunlin::cli {

/// Members of a JSON object that may be absent, null or of another type: then they are empty. The
/// command line shows what it understands of an answer and never fails on what a later server adds.
std::string TextOf(simdjson::dom::element object, std::string_view name);
std::optional<std::int64_t> IntegerOf(simdjson::dom::element object, std::string_view name);
std::optional<double> NumberOf(simdjson::dom::element object, std::string_view name);
std::optional<bool> BoolOf(simdjson::dom::element object, std::string_view name);
std::optional<simdjson::dom::element> ObjectOf(simdjson::dom::element object,
                                               std::string_view name);
/// Empty when absent.
std::vector<simdjson::dom::element> ItemsOf(simdjson::dom::element object, std::string_view name);

}  // namespace dunlin::cli
