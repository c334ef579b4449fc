#include "protocol/base/units.h"

#include <limits>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

TEST_CASE("durations are sums of numbers with units", "[base][units]") {
  auto [text, want] = GENERATE(table<std::string, nanoseconds>({
      {"0", 0ns},
      {"0s", 0ns},
      {"10s", 10s},
      {"500ms", 500ms},
      {"1h30m", 90min},
      {"0.5s", 500ms},
      {"1.000000001s", 1s + 1ns},
      {"2d", 48h},
      {"1w", 168h},
      {"1y", 8760h},
      {"7us", 7us},
      {".5h", 30min},
      {"3s2m", 123s},
      {"292y", 292 * 8760h},
      {"200d1ns", 4800h + 1ns},
  }));
  CAPTURE(text);
  auto duration = ParseDuration(text);
  REQUIRE(duration);
  CHECK(*duration == want);
}

TEST_CASE("what is not a duration is refused with the text in the sentence", "[base][units]") {
  auto text =
      GENERATE(values<std::string>({"", "5", "s", "-5s", "5 s", "5S", "1.2.3s", ".s", "1e3s",
                                    "5sec", "293y", "99999999999999999999s", "1h30"}));
  CAPTURE(text);
  auto duration = ParseDuration(text);
  REQUIRE_FALSE(duration);
  CHECK(duration.error().code() == ErrorCode::kInvalidArgument);
  CHECK_THAT(duration.error().message(), test::HasText("\"" + text + "\""));
}

TEST_CASE("durations are written in their largest units", "[base][units]") {
  CHECK(FormatDuration(0ns) == "0s");
  CHECK(FormatDuration(90min) == "1h30m");
  CHECK(FormatDuration(250ms) == "250ms");
  CHECK(FormatDuration(49h + 1ns) == "2d1h1ns");
}

TEST_CASE("a duration reads back from its text", "[base][units]") {
  auto duration = GENERATE(
      values<nanoseconds>({1ns, 999ms, 1h + 1ns, 4800h + 1ns, nanoseconds(9'007'199'254'740'993),
                           nanoseconds(std::numeric_limits<std::int64_t>::max())}));
  auto read = ParseDuration(FormatDuration(duration));
  REQUIRE(read);
  CHECK(*read == duration);
}

TEST_CASE("sizes are whole numbers with binary or decimal units", "[base][units]") {
  auto [text, want] = GENERATE(table<std::string, std::uint64_t>({
      {"0", 0},
      {"512", 512},
      {"512B", 512},
      {"64KiB", 64_KiB},
      {"4MiB", 4_MiB},
      {"2GiB", 2_GiB},
      {"1TiB", 1024_GiB},
      {"1kB", 1000},
      {"1KB", 1000},
      {"3MB", 3'000'000},
      {"18446744073709551615", std::numeric_limits<std::uint64_t>::max()},
  }));
  CAPTURE(text);
  auto size = ParseSize(text);
  REQUIRE(size);
  CHECK(*size == want);
}

TEST_CASE("what is not a size is refused with the text in the sentence", "[base][units]") {
  auto text = GENERATE(values<std::string>(
      {"", "MiB", "-1", "1.5GiB", "1 MiB", "1mib", "1M", "18446744073709551616", "99999999TiB"}));
  CAPTURE(text);
  auto size = ParseSize(text);
  REQUIRE_FALSE(size);
  CHECK_THAT(size.error().message(), test::HasText("\"" + text + "\""));
}

TEST_CASE("sizes are written for people", "[base][units]") {
  CHECK(FormatSize(0) == "0B");
  CHECK(FormatSize(1023) == "1023B");
  CHECK(FormatSize(4_MiB) == "4MiB");
  CHECK(FormatSize(1536_MiB) == "1.5GiB");
  CHECK(FormatSize(1_MiB - 1) == "1023.9KiB");
  CHECK(FormatSize(std::numeric_limits<std::uint64_t>::max()) == "16383.9PiB");
}

}  // namespace
}  // namespace dunlin
