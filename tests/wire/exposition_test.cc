#include "protocol/wire/exposition.h"

#include <limits>

#include "tests/support/catch.h"

namespace dunlin::wire {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string Expose(const std::vector<MetricFamily>& families, const LabelSet& extra = {}) {
  std::string out;
  AppendExposition(out, families, extra);
  return out;
}

TEST_CASE("families are written with help, type and samples", "[wire][exposition]") {
  CHECK(Expose({{"a_total", "Lines read.", "counter", {{{}, 3, ""}, {{{"b", "c"}}, 0.5, ""}}},
                {"empty", "", "gauge", {}}}) ==
        "# HELP a_total Lines read.\n"
        "# TYPE a_total counter\n"
        "a_total 3\n"
        "a_total{b=\"c\"} 0.5\n"
        "# TYPE empty gauge\n");
}

TEST_CASE("a histogram has its suffixes", "[wire][exposition]") {
  CHECK(Expose({{"h",
                 "",
                 "histogram",
                 {{{{"le", "0.1"}}, 1, "_bucket"},
                  {{{"le", "+Inf"}}, 2, "_bucket"},
                  {{}, 0.25, "_sum"},
                  {{}, 2, "_count"}}}}) ==
        "# TYPE h histogram\n"
        "h_bucket{le=\"0.1\"} 1\n"
        "h_bucket{le=\"+Inf\"} 2\n"
        "h_sum 0.25\n"
        "h_count 2\n");
}

TEST_CASE("help and label values are escaped by their own rules", "[wire][exposition]") {
  CHECK(Expose({{"a", "say \"x\\y\"\nz", "gauge", {{{{"l", "say \"x\\y\"\nz"}}, 1, ""}}}}) ==
        "# HELP a say \"x\\\\y\"\\nz\n"
        "# TYPE a gauge\n"
        "a{l=\"say \\\"x\\\\y\\\"\\nz\"} 1\n");
}

TEST_CASE("values are written as Prometheus reads them", "[wire][exposition]") {
  auto [value, want] =
      GENERATE(table<double, std::string>({{0, "0"},
                                           {kInfinity, "+Inf"},
                                           {-kInfinity, "-Inf"},
                                           {std::numeric_limits<double>::quiet_NaN(), "NaN"},
                                           {1763661600.123, "1763661600.123"},
                                           {1e21, "1000000000000000000000"},
                                           {-2.5e-7, "-0.00000025"}}));
  CHECK(Expose({{"v", "", "gauge", {MetricSample{{}, value, ""}}}}) ==
        "# TYPE v gauge\nv " + want + "\n");
}

TEST_CASE("extra labels win and keep what they hide", "[wire][exposition]") {
  CHECK(Expose({{"a", "", "gauge", {{{{"host", "own"}, {"x", "1"}}, 1, ""}}}},
               {{"host", "h1"}, {"service", "s"}}) ==
        "# TYPE a gauge\n"
        "a{exported_host=\"own\",host=\"h1\",service=\"s\",x=\"1\"} 1\n");
}

TEST_CASE("a family without a type is untyped", "[wire][exposition]") {
  CHECK(Expose({{"a", "", "", {}}}) == "# TYPE a untyped\n");
}

}  // namespace
}  // namespace dunlin::wire
