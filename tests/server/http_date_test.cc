#include "protocol/server/http_date.h"

#include <string>
#include <tuple>

#include "tests/support/catch.h"

namespace dunlin::server {
namespace {

TEST_CASE("dates as HTTP writes them", "[server][date]") {
  auto [seconds, want] = GENERATE(table<std::int64_t, std::string>({
      {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},  // the example of RFC 9110 section 5.6.7
      {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
      {1709251199, "Thu, 29 Feb 2024 23:59:59 GMT"},
      {4102444800, "Fri, 01 Jan 2100 00:00:00 GMT"},
  }));
  CHECK(FormatHttpDate(LogTime(std::chrono::seconds(seconds) + std::chrono::milliseconds(999))) ==
        want);
}

}  // namespace
}  // namespace dunlin::server
