#include "protocol/base/crc32c.h"

#include <random>
#include <string>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

TEST_CASE("crc32c gives the published values", "[base]") {
  // RFC 3720 appendix B.4, and the check value "123456789" of the catalogue of parametrised CRCs.
  std::string rising;
  std::string falling;
  for (int i = 0; i < 32; ++i) {
    rising += static_cast<char>(i);
    falling += static_cast<char>(31 - i);
  }
  auto [bytes, want] = GENERATE_COPY(table<std::string, std::uint32_t>({
      {"", 0},
      {"123456789", 0xE3069283},
      {std::string(32, '\0'), 0x8A9136AA},
      {std::string(32, '\xFF'), 0x62A8AB43},
      {rising, 0x46DD794E},
      {falling, 0x113FDB5C},
  }));
  CHECK(Crc32c(bytes) == want);
  CHECK(Crc32cFromTable(bytes) == want);
}

TEST_CASE("crc32c by instruction and from the table agree, in one piece and in two", "[base]") {
  std::mt19937_64 random(7);
  for (std::size_t size = 0; size < 200; ++size) {
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(random());
    auto seed = static_cast<std::uint32_t>(random());
    std::size_t cut = size == 0 ? 0 : random() % size;
    std::uint32_t whole = Crc32c(bytes, seed);
    CHECK(Crc32cFromTable(bytes, seed) == whole);
    CHECK(Crc32c(std::string_view(bytes).substr(cut), Crc32c(bytes.substr(0, cut), seed)) == whole);
  }
}

}  // namespace
}  // namespace dunlin
