#include "protocol/base/random.h"

#include <algorithm>
#include <set>
#include <string>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

TEST_CASE("random values do not repeat", "[base][random]") {
  std::set<RandomId> ids;
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 1000; ++i) {
    ids.insert(NewRandomId());
    numbers.insert(RandomU64());
  }
  CHECK(ids.size() == 1000);
  CHECK(numbers.size() == 1000);
}

TEST_CASE("every byte of a large buffer is filled", "[base][random]") {
  // Larger than one getrandom call gives at once when it is interrupted.
  std::string bytes(100'000, '\0');
  FillRandom(bytes.data(), bytes.size());
  auto zeros = std::count(bytes.begin(), bytes.end(), '\0');
  CHECK(zeros < 1000);  // about 390 by chance
  FillRandom(bytes.data(), 0);
}

TEST_CASE("an id is 32 hexadecimal digits", "[base][random]") {
  RandomId id{};
  id[0] = 0xAB;
  id[15] = 0x01;
  CHECK(ToHex(id) == "ab000000000000000000000000000001");
}

}  // namespace
}  // namespace dunlin
