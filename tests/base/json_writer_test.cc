#include "protocol/base/json_writer.h"

#include <limits>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

std::string Quoted(std::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  return out;
}

TEST_CASE("objects and arrays nest with their commas", "[base][json]") {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Field("text", "a");
  json.Field("int", -1);
  json.Field("big", std::numeric_limits<std::uint64_t>::max());
  json.Field("real", 0.5);
  json.Field("yes", true);
  json.Key("none");
  json.Null();
  json.Key("list");
  json.BeginArray();
  json.Integer(1);
  json.BeginArray();
  json.EndArray();
  json.BeginObject();
  json.EndObject();
  json.Raw("{\"raw\":1}");
  json.String("");
  json.EndArray();
  json.Key("after");
  json.Bool(false);
  json.EndObject();
  CHECK(out ==
        R"({"text":"a","int":-1,"big":18446744073709551615,"real":0.5,"yes":true,"none":null,)"
        R"("list":[1,[],{},{"raw":1},""],"after":false})");
}

TEST_CASE("numbers JSON lacks are null", "[base][json]") {
  std::string out;
  JsonWriter json(out);
  json.BeginArray();
  json.Double(std::numeric_limits<double>::infinity());
  json.Double(std::numeric_limits<double>::quiet_NaN());
  json.Double(1e22);
  json.EndArray();
  CHECK(out == "[null,null,1" + std::string(22, '0') + "]");
}

TEST_CASE("strings are escaped where JSON asks for it", "[base][json]") {
  CHECK(Quoted("a\"b\\c/d") == R"("a\"b\\c/d")");
  CHECK(Quoted("\n\r\t") == R"("\n\r\t")");
  CHECK(Quoted(std::string_view("\0\x01\x1f\x7f", 4)) == "\"\\u0000\\u0001\\u001f\x7f\"");
  CHECK(Quoted("é日😀") == "\"é日😀\"");
}

TEST_CASE("each byte that is not UTF-8 becomes one replacement character", "[base][json]") {
  auto [text, want] = GENERATE(table<std::string, std::string>({
      {"\xff", "�"},
      {"a\xc3", "a�"},              // cut short
      {"\xc3\xa9\xa9", "é�"},       // a lone continuation
      {"\xc0\xaf", "��"},           // overlong
      {"\xed\xa0\x80", "���"},      // a surrogate
      {"\xf4\x90\x80\x80", "����"}  // above U+10FFFF
  }));
  CHECK(Quoted(text) == "\"" + want + "\"");
}

}  // namespace
}  // namespace dunlin
