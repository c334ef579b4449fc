#include "agent/probe_report.h"

#include <string>
#include <utility>
#include <vector>

#include "protocol/wire/exposition.h"
#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

using Status = ProbePolicy::Status;

const LogTime kTime = LogTimeOf(1'767'225'600'000'000'000);

ProbeReport Failing() {
  return {.check = "live",
          .kind = "exec",
          .status = Status::kFailing,
          .since = kTime,
          .failures_in_a_row = 3,
          .failures = 5,
          .last_result = kTime,
          .last_passed = false,
          .last_duration_seconds = 0.25,
          .last_error = "check ended with 1"};
}

ProbeReport Waiting() {
  return {.check = "ready",
          .kind = "log",
          .status = Status::kStarting,
          .since = kTime,
          .last_result = {},
          .last_duration_seconds = {},
          .last_error = {}};
}

std::string Json(const std::vector<ProbeReport>& reports) {
  std::string text;
  JsonWriter json(text);
  WriteProbes(json, reports);
  return text;
}

std::string Exposition(const std::vector<ProbeReport>& reports) {
  Families families;
  AddProbes(families, reports);
  std::string text;
  wire::AppendExposition(text, std::move(families).Take());
  return text;
}

TEST_CASE("the status has an object for each check", "[agent][probe]") {
  CHECK(Json({}) == "{}");
  CHECK(Json({Waiting()}) ==
        R"({"ready":{"kind":"log","status":"starting","since":"2026-01-01T00:00:00.000000000Z",)"
        R"("failures_in_a_row":0,"failures":0,"last_result":null,"last_error":null}})");
  CHECK(Json({Failing()}) ==
        R"({"live":{"kind":"exec","status":"failing","since":"2026-01-01T00:00:00.000000000Z",)"
        R"("failures_in_a_row":3,"failures":5,)"
        R"("last_result":{"passed":false,"time":"2026-01-01T00:00:00.000000000Z","seconds":0.25},)"
        R"("last_error":"check ended with 1"}})");
}

TEST_CASE("what a check has not shown yet is absent from the metrics", "[agent][probe]") {
  CHECK(Exposition({}).empty());
  const std::string text = Exposition({Waiting(), Failing()});
  CHECK_THAT(text, test::HasText("dunlin_agent_health_status{check=\"live\"} 0\n"));
  CHECK_THAT(text, !test::HasText("dunlin_agent_health_status{check=\"ready\"}"));
  CHECK_THAT(text, test::HasText("dunlin_agent_health_failures_total{check=\"live\"} 5\n"));
  CHECK_THAT(text, test::HasText("dunlin_agent_health_failures_total{check=\"ready\"} 0\n"));
  CHECK_THAT(text, test::HasText("dunlin_agent_health_duration_seconds{check=\"live\"} 0.25\n"));
  CHECK_THAT(text, !test::HasText("dunlin_agent_health_duration_seconds{check=\"ready\"}"));

  ProbeReport passing = Waiting();
  passing.status = Status::kPassing;
  CHECK_THAT(Exposition({passing}), test::HasText("dunlin_agent_health_status{check=\"ready\"} 1"));
}

TEST_CASE("every status has a word", "[agent][probe]") {
  CHECK(ProbeStatusName(Status::kIdle) == "idle");
  CHECK(ProbeStatusName(Status::kStarting) == "starting");
  CHECK(ProbeStatusName(Status::kPassing) == "passing");
  CHECK(ProbeStatusName(Status::kFailing) == "failing");
}

}  // namespace
}  // namespace dunlin::agent
