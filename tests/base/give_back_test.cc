#include "protocol/base/give_back.h"

#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

TEST_CASE("the memory of a string or vector is given back with its content", "[base]") {
  std::string text(10'000, 'x');
  GiveBack(text);
  CHECK(text.empty());
  CHECK(text.capacity() == std::string().capacity());
  std::vector<int> numbers(10'000);
  GiveBack(numbers);
  CHECK(numbers.capacity() == 0);
}

}  // namespace
}  // namespace dunlin
