#include "protocol/base/varints.h"

#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

std::optional<std::vector<std::uint64_t>> Read(std::string_view bytes, std::size_t count) {
  std::vector<std::uint64_t> values;
  bool whole = ForEachVarint(bytes, count, [&](std::uint64_t value) { values.push_back(value); });
  if (!whole) return std::nullopt;
  return values;
}

TEST_CASE("a run of varints of all sizes reads back", "[base][coding]") {
  std::mt19937_64 random(1);
  for (std::size_t count = 0; count < 60; ++count) {
    std::vector<std::uint64_t> values;
    std::string bytes;
    for (std::size_t i = 0; i < count; ++i) {
      values.push_back(random() >> random() % 64);
      if (i % 7 == 3) values.back() = std::numeric_limits<std::uint64_t>::max();
      AppendVarint(bytes, values.back());
    }
    CHECK(Read(bytes, count) == values);
    CHECK_FALSE(Read(bytes, count + 1));
    CHECK_FALSE(Read(bytes + '\0', count));
    if (count == 0) continue;
    CHECK_FALSE(Read(bytes, count - 1));
    CHECK_FALSE(Read(std::string_view(bytes).substr(0, bytes.size() - 1), count));
  }
}

TEST_CASE("a run with a varint that is too long is refused", "[base][coding]") {
  auto wrong = GENERATE(values<std::string>({"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
                                             "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"}));
  CHECK_FALSE(Read(wrong, 1));
  CHECK_FALSE(Read(wrong + std::string(30, '\1'), 31));
  CHECK(Read("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + std::string(30, '\1'), 31));
}

}  // namespace
}  // namespace dunlin
