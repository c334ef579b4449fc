#include "controller/cli/json_fields.h"

namespace dunlin::cli {

using simdjson::dom::element;

std::string TextOf(element object, std::string_view name) {
  std::string_view text;
  if (object[name].get(text) != simdjson::SUCCESS) return {};
  return std::string(text);
}

std::optional<std::int64_t> IntegerOf(element object, std::string_view name) {
  std::int64_t number = 0;
  if (object[name].get(number) != simdjson::SUCCESS) return std::nullopt;
  return number;
}

std::optional<double> NumberOf(element object, std::string_view name) {
  double number = 0;
  if (object[name].get(number) != simdjson::SUCCESS) return std::nullopt;
  return number;
}

std::optional<bool> BoolOf(element object, std::string_view name) {
  bool flag = false;
  if (object[name].get(flag) != simdjson::SUCCESS) return std::nullopt;
  return flag;
}

std::optional<element> ObjectOf(element object, std::string_view name) {
  element member;
  if (object[name].get(member) != simdjson::SUCCESS || !member.is_object()) return std::nullopt;
  return member;
}

std::vector<element> ItemsOf(element object, std::string_view name) {
  simdjson::dom::array array;
  if (object[name].get(array) != simdjson::SUCCESS) return {};
  return std::vector<element>(array.begin(), array.end());
}

}  // namespace dunlin::cli
