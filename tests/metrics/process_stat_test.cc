#include "protocol/metrics/process_stat.h"

#include <string>

#include "tests/support/catch.h"

namespace dunlin::metrics {
namespace {

TEST_CASE("a process's stat line is read past any name", "[metrics]") {
  auto name = GENERATE(as<std::string>{}, "dunlin-collecto", "a b", "((", ") 9 R 1", "");
  CAPTURE(name);
  auto stat = ParseProcessStat("4242 (" + name +
                               ") S 1 4242 4242 0 -1 4194560 500 0 1 0 250 50 0 0 20 0 7 0 "
                               "123456 734003200 2560 18446744073709551615 1 1 0\n");
  REQUIRE(stat);
  CHECK(stat->cpu_ticks == 300);
  CHECK(stat->threads == 7);
  CHECK(stat->start_ticks == 123456);
  CHECK(stat->virtual_bytes == 734003200);
  CHECK(stat->resident_pages == 2560);
}

TEST_CASE("what is not a stat line is nothing", "[metrics]") {
  auto text = GENERATE(as<std::string>{}, "", "1 (x)", "1 (x) ", "1 (x) S 1 2 3", "no parentheses",
                       "1 (x) S a b c d e f g h i j k l m n o p q r s t u v w");
  CAPTURE(text);
  CHECK_FALSE(ParseProcessStat(text));
}

TEST_CASE("a keyed number stands at the start of its line", "[metrics]") {
  CHECK(ParseKeyedNumber("cpu 1 2\nbtime 1735689600\nx 1\n", "btime") == 1735689600u);
  CHECK(ParseKeyedNumber("VmRSS:\t  120 kB\n", "VmRSS:") == 120u);
  CHECK_FALSE(ParseKeyedNumber("xbtime 1\n", "btime"));
  CHECK_FALSE(ParseKeyedNumber("btime x\n", "btime"));
  CHECK_FALSE(ParseKeyedNumber("", "btime"));
}

}  // namespace
}  // namespace dunlin::metrics
