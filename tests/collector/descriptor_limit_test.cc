#include "collector/descriptor_limit.h"

#include <sys/resource.h>

#include "tests/support/catch.h"

namespace dunlin::collector {
namespace {

TEST_CASE("the limit of descriptors is raised as far as it can be", "[collector][descriptors]") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit low = before;
  low.rlim_cur = 200;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  CHECK(RaiseDescriptorLimit() == before.rlim_max);
  rlimit raised{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &raised) == 0);
  CHECK(raised.rlim_cur == before.rlim_max);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST_CASE("agents leave descriptors for the rest", "[collector][descriptors]") {
  CHECK(AgentsWithin(1'048'576, 8192) == 8192);
  CHECK(AgentsWithin(9728, 8192) == 8192);
  CHECK(AgentsWithin(9000, 8192) == 7464);
  CHECK(AgentsWithin(1024, 8192) == 768);
  CHECK(AgentsWithin(1024, 100) == 100);
  auto wanted = GENERATE(as<std::size_t>{}, 1, 2, 3, 100, 4607, 4608, 4609, 8192, 100'000);
  CAPTURE(wanted);
  CHECK(AgentsWithin(DescriptorsFor(wanted), wanted) == wanted);
  CHECK(AgentsWithin(DescriptorsFor(wanted) - 1, wanted + 1) <= wanted);
}

}  // namespace
}  // namespace dunlin::collector
