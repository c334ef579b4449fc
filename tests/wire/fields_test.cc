#include "protocol/wire/fields.h"

#include "tests/support/catch.h"

namespace dunlin::wire {
namespace {

TEST_CASE("fields come in order with their values", "[wire][fields]") {
  std::string bytes;
  PutVarint(bytes, 1, 300);
  PutFixed64(bytes, 2, 7);
  PutDouble(bytes, 3, -0.5);
  PutBytes(bytes, 4, "text");
  PutMessage(bytes, 536870911, "");

  FieldReader fields(bytes);
  std::uint64_t number = 0;
  REQUIRE(fields.Next());
  CHECK(fields.number() == 1);
  fields.Read(number);
  CHECK(number == 300);
  REQUIRE(fields.Next());
  fields.ReadFixed64(number);
  CHECK(number == 7);
  REQUIRE(fields.Next());
  double real = 0;
  fields.Read(real);
  CHECK(real == -0.5);
  REQUIRE(fields.Next());
  std::string_view text;
  fields.Read(text);
  CHECK(text == "text");
  REQUIRE(fields.Next());
  CHECK(fields.number() == 536870911);
  CHECK_FALSE(fields.Next());
  CHECK_FALSE(fields.failed());
}

TEST_CASE("defaults are left out, nested messages are not", "[wire][fields]") {
  std::string bytes;
  PutVarint(bytes, 1, 0);
  PutFixed64(bytes, 2, 0);
  PutBytes(bytes, 3, "");
  CHECK(bytes.empty());
  PutMessage(bytes, 4, "");
  CHECK(bytes == std::string("\x22\0", 2));
}

TEST_CASE("a value of another wire type leaves the target alone", "[wire][fields]") {
  std::string bytes;
  PutBytes(bytes, 1, "text");
  PutVarint(bytes, 1, 5);
  FieldReader fields(bytes);
  std::uint64_t number = 42;
  std::string_view text = "before";
  REQUIRE(fields.Next());
  fields.Read(number);
  CHECK(number == 42);
  REQUIRE(fields.Next());
  fields.Read(text);
  CHECK(text == "before");
}

TEST_CASE("bytes that are not protobuf fail", "[wire][fields]") {
  auto bytes = GENERATE(values<std::string>({
      std::string("\x00\x01", 2),              // field number 0
      "\x0b",                                  // a group
      "\x0e",                                  // wire type 6
      "\x08",                                  // no value
      "\x0a\x05xx",                            // bytes shorter than said
      "\x09\x01\x02",                          // a short 8-byte value
      "\x0d\x01",                              // a short 4-byte value
      "\x88",                                  // half a tag
      "\xff\xff\xff\xff\xff\xff\xff\xff\xff",  // an endless tag
      "\xf8\xff\xff\xff\x7f\x01",              // a tag of more than 32 bits
  }));
  FieldReader fields(bytes);
  CHECK_FALSE(fields.Next());
  CHECK(fields.failed());
  CHECK_FALSE(fields.Next());
}

}  // namespace
}  // namespace dunlin::wire
