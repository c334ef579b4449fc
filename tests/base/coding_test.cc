#include "protocol/base/coding.h"

#include <limits>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

TEST_CASE("fixed integers are little-endian", "[base][coding]") {
  std::string out;
  AppendFixed(out, std::uint32_t{0x01020304});
  AppendFixed(out, std::uint16_t{0x0506});
  CHECK(out == "\x04\x03\x02\x01\x06\x05");
  CHECK(LoadFixed<std::uint32_t>(out.data()) == 0x01020304);
  StoreFixed(out.data(), std::uint32_t{7});
  CHECK(ByteReader(out).ReadFixed<std::uint32_t>() == 7U);
}

TEST_CASE("varints have the bytes of protobuf's documentation", "[base][coding]") {
  auto [value, bytes] = GENERATE(table<std::uint64_t, std::string>(
      {{0, std::string(1, '\0')},
       {1, "\x01"},
       {127, "\x7f"},
       {128, "\x80\x01"},
       {150, "\x96\x01"},
       {std::numeric_limits<std::uint64_t>::max(), "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"}}));
  std::string out;
  AppendVarint(out, value);
  CHECK(out == bytes);
}

TEST_CASE("every size of varint reads back and knows its size", "[base][coding]") {
  for (unsigned shift = 0; shift < 64; ++shift) {
    for (std::uint64_t value : {std::uint64_t{1} << shift, (std::uint64_t{1} << shift) - 1}) {
      std::string out;
      AppendVarint(out, value);
      CHECK(out.size() == VarintSize(value));
      out += "rest";
      ByteReader reader(out);
      CHECK(reader.ReadVarint() == value);
      CHECK(reader.rest() == "rest");
    }
  }
}

TEST_CASE("a varint cut short or too long fails", "[base][coding]") {
  auto bytes = GENERATE(values<std::string>({"", "\x80", "\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                                             "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
                                             "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"}));
  ByteReader reader(bytes);
  CHECK_FALSE(reader.ReadVarint());
  CHECK(reader.failed());
}

TEST_CASE("signed numbers near zero are small", "[base][coding]") {
  CHECK(ZigZag(0) == 0);
  CHECK(ZigZag(-1) == 1);
  CHECK(ZigZag(1) == 2);
  auto value = GENERATE(
      values<std::int64_t>({0, -1, 1, -64, 1'000'000'007, std::numeric_limits<std::int64_t>::min(),
                            std::numeric_limits<std::int64_t>::max()}));
  CHECK(UnZigZag(ZigZag(value)) == value);
}

TEST_CASE("a reader that failed stays failed", "[base][coding]") {
  ByteReader reader("abc");
  CHECK(reader.ReadBytes(2) == "ab");
  CHECK_FALSE(reader.ReadFixed<std::uint32_t>());
  CHECK(reader.failed());
  CHECK_FALSE(reader.ReadBytes(1));
  CHECK_FALSE(reader.ReadVarint());
}

TEST_CASE("length-prefixed bytes read back; a length past the end fails", "[base][coding]") {
  std::string out;
  AppendLengthPrefixed(out, "");
  AppendLengthPrefixed(out, "some bytes");
  ByteReader reader(out);
  CHECK(reader.ReadLengthPrefixed() == "");
  CHECK(reader.ReadLengthPrefixed() == "some bytes");
  CHECK(reader.empty());
  CHECK_FALSE(ByteReader("\x03xy").ReadLengthPrefixed());
  CHECK_FALSE(ByteReader("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01xy").ReadLengthPrefixed());
}

}  // namespace
}  // namespace dunlin
