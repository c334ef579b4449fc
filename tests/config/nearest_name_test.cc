#include "protocol/config/nearest_name.h"

#include "tests/support/catch.h"

namespace dunlin::config {

TEST_CASE("a typo finds the name it meant", "[config]") {
  const std::vector<std::string_view> names = {"http", "ingest", "data", "retention",
                                               "retention-size"};
  auto [typed, meant] =
      GENERATE(table<std::string, std::string>({{"htpp", "http"},
                                                {"hhttp", "http"},
                                                {"injest", "ingest"},
                                                {"dat", "data"},
                                                {"retension", "retention"},
                                                {"retention_size", "retention-size"},
                                                {"reten", "retention"}}));
  CAPTURE(typed);
  CHECK(NearestName(typed, names) == meant);
}

TEST_CASE("what resembles nothing gets no suggestion", "[config]") {
  CHECK(NearestName("colour", {"http", "ingest", "data"}).empty());
  CHECK(NearestName("x", {"http"}).empty());
  CHECK(NearestName("", {"http"}).empty());
  CHECK(NearestName("http", {}).empty());
}

}  // namespace dunlin::config
