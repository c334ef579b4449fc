#include "agent/families.h"

#include "protocol/wire/exposition.h"
#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

std::string Text(Families families) {
  std::string text;
  wire::AppendExposition(text, std::move(families).Take());
  return text;
}

TEST_CASE("a histogram counts what is under each bound, and everything", "[agent][metrics]") {
  static constexpr double kBounds[] = {0.5, 1, 2.5};
  Histogram histogram(kBounds);
  for (double value : {0.1, 0.5, 0.6, 2.5, 2.6, 100.0}) histogram.Observe(value);
  CHECK(histogram.total() == 6);
  Families families;
  families.AddHistogram("h_seconds", "Help.", histogram);
  CHECK(Text(std::move(families)) ==
        "# HELP h_seconds Help.\n"
        "# TYPE h_seconds histogram\n"
        "h_seconds_bucket{le=\"0.5\"} 2\n"
        "h_seconds_bucket{le=\"1\"} 3\n"
        "h_seconds_bucket{le=\"2.5\"} 4\n"
        "h_seconds_bucket{le=\"+Inf\"} 6\n"
        "h_seconds_sum 106.3\n"
        "h_seconds_count 6\n");
}

TEST_CASE("a family without samples is left out", "[agent][metrics]") {
  Families families;
  families.Gauge("absent", "Help.", std::optional<double>());
  families.Untyped("absent_too", "Help.", std::nullopt);
  families.BeginCounter("empty_total", "Help.");
  families.Gauge("present", "Help.", std::optional<double>(0));
  CHECK(Text(std::move(families)) == "# HELP present Help.\n# TYPE present gauge\npresent 0\n");
}

}  // namespace
}  // namespace dunlin::agent
