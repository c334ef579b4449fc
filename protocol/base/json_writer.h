#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dunlin {

/// Appends JSON (RFC 8259) to a string: commas and nesting are its business, order is the caller's.
/// Strings are bytes: what is not valid UTF-8 becomes U+FFFD, one per offending byte; control
/// characters are escaped.
///
///   JsonWriter json(out);
///   json.BeginObject();
///   json.Key("lines");
///   json.Integer(3);
///   json.EndObject();
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void BeginObject();
  void EndObject();
  void BeginArray();
  void EndArray();
  /// The name of the next value of an object.
  void Key(std::string_view name);

  void String(std::string_view value);
  void Integer(std::int64_t value);
  void Unsigned(std::uint64_t value);
  /// A JSON number; null for NaN and infinities, which JSON lacks.
  void Double(double value);
  void Bool(bool value);
  void Null();
  /// One complete value already in JSON.
  void Raw(std::string_view json);

  void Field(std::string_view name, std::string_view value) { Key(name), String(value); }
  void Field(std::string_view name, const char* value) { Key(name), String(value); }
  void Field(std::string_view name, std::int64_t value) { Key(name), Integer(value); }
  void Field(std::string_view name, std::uint64_t value) { Key(name), Unsigned(value); }
  void Field(std::string_view name, int value) { Key(name), Integer(value); }
  void Field(std::string_view name, unsigned value) { Key(name), Unsigned(value); }
  void Field(std::string_view name, double value) { Key(name), Double(value); }
  void Field(std::string_view name, bool value) { Key(name), Bool(value); }

 private:
  void Separate();

  std::string& out_;
  std::vector<bool> has_items_;  // per open object or array
  bool after_key_ = false;
};

/// Appends `text` as a quoted JSON string by the rules above.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace dunlin
