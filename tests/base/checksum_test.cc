#include "protocol/base/checksum.h"

#include <set>
#include <string>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

TEST_CASE("the checksum is XXH3-64", "[base][checksum]") {
  // Files and peers depend on these values: xxhsum -H3 prints them.
  CHECK(Checksum("") == 0x2d06800538d394c2);
  CHECK(Checksum("a") == 0xe6c632b61e964e1f);
  CHECK(Checksum("dunlin") != Checksum("dunlin", 1));
}

TEST_CASE("each changed bit and each seed changes the checksum", "[base][checksum]") {
  // Lengths on every path of XXH3: up to 3, 8, 16, 128, 240 and more.
  std::size_t size = GENERATE(std::size_t{1}, std::size_t{4}, std::size_t{12}, std::size_t{100},
                              std::size_t{200}, std::size_t{1000});
  std::string bytes(size, 'x');
  std::set<std::uint64_t> seen = {Checksum(bytes), Checksum(bytes, 1), Checksum(bytes, 1ULL << 63)};
  for (std::size_t bit = 0; bit < size * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    seen.insert(Checksum(flipped));
  }
  CHECK(seen.size() == size * 8 + 3);
}

}  // namespace
}  // namespace dunlin
