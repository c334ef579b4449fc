#include "agent/child_exits.h"

#include <vector>

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

TEST_CASE("the end of a child goes to whoever awaits it, once", "[agent][child_exits]") {
  ChildExits exits;
  std::vector<int> codes;
  exits.Await(41, [&](net::ExitStatus status) { codes.push_back(status.code); });
  exits.Await(42, [&](net::ExitStatus status) { codes.push_back(100 + status.code); });
  CHECK(exits.Report(42, {.code = 2}));
  CHECK(codes == std::vector<int>{102});
  CHECK_FALSE(exits.Report(42, {.code = 2}));
  CHECK(exits.Report(41, {.code = 1}));
  CHECK(codes == std::vector<int>{102, 1});
  CHECK_FALSE(exits.Report(43, {}));
}

TEST_CASE("a child that is ignored is still no orphan", "[agent][child_exits]") {
  ChildExits exits;
  bool told = false;
  exits.Await(41, [&](net::ExitStatus) { told = true; });
  exits.Ignore(41);
  exits.Ignore(42);
  CHECK(exits.Report(41, {}));
  CHECK_FALSE(told);
  CHECK_FALSE(exits.Report(42, {}));
}

TEST_CASE("who is told of an end may await the next child at once", "[agent][child_exits]") {
  ChildExits exits;
  int told = 0;
  // Process ids come back.
  exits.Await(41, [&](net::ExitStatus) { exits.Await(41, [&](net::ExitStatus) { ++told; }); });
  CHECK(exits.Report(41, {}));
  CHECK(told == 0);
  CHECK(exits.Report(41, {}));
  CHECK(told == 1);
}

}  // namespace
}  // namespace dunlin::agent
