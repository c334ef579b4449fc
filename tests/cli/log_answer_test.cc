#include "controller/cli/log_answer.h"

#include "tests/support/catch.h"

namespace dunlin::cli {

TEST_CASE("entries of several streams come in time order, equal times as the answer has them",
          "[cli]") {
  const char* json = R"({"status":"success","data":{"resultType":"streams","result":[
      {"stream":{"service":"b"},"values":[["2","b2"],["3","b3"]]},
      {"stream":{"service":"a"},"values":[["1","a1"],["3","a3"],["3","a3 again"]]}],"stats":{}}})";
  auto answer = ParseLogAnswer(json, /*newest_first=*/false);
  REQUIRE(answer);
  CHECK(answer->kind == LogAnswer::Kind::kEntries);
  LabelSet a{{"service", "a"}};
  LabelSet b{{"service", "b"}};
  CHECK(answer->entries ==
        std::vector<FoundEntry>{
            {1, a, "a1"}, {2, b, "b2"}, {3, b, "b3"}, {3, a, "a3"}, {3, a, "a3 again"}});
}

TEST_CASE("newest first is the other way round", "[cli]") {
  const char* json = R"({"data":{"resultType":"streams","result":[
      {"stream":{},"values":[["3","c"],["1","a"]]},{"stream":{},"values":[["2","b"]]}]}})";
  auto answer = ParseLogAnswer(json, /*newest_first=*/true);
  REQUIRE(answer);
  REQUIRE(answer->entries.size() == 3);
  CHECK(answer->entries[0].line == "c");
  CHECK(answer->entries[2].line == "a");
}

TEST_CASE("matrix, vector and scalar become samples", "[cli]") {
  auto json = GENERATE(
      R"({"data":{"resultType":"matrix","result":[{"metric":{"l":"x"},"values":[[1.5,"7"]]}]}})",
      R"({"data":{"resultType":"vector","result":[{"metric":{"l":"x"},"value":[1.5,"7"]}]}})");
  auto answer = ParseLogAnswer(json, false);
  REQUIRE(answer);
  CHECK(answer->kind == LogAnswer::Kind::kSamples);
  CHECK(answer->samples == std::vector<Sample>{{1'500'000'000, LabelSet{{"l", "x"}}, "7"}});
  auto scalar = ParseLogAnswer(R"({"data":{"resultType":"scalar","result":[2,"3"]}})", false);
  REQUIRE(scalar);
  CHECK(scalar->samples == std::vector<Sample>{{2'000'000'000, {}, "3"}});
}

TEST_CASE("an empty result is empty, warnings are kept", "[cli]") {
  auto answer =
      ParseLogAnswer(R"({"warnings":["slow"],"data":{"resultType":"streams","result":[]}})", false);
  REQUIRE(answer);
  CHECK(answer->entries.empty());
  CHECK(answer->warnings == std::vector<std::string>{"slow"});
}

TEST_CASE("what is not such an answer is refused", "[cli]") {
  auto json =
      GENERATE("", "<html>", "{}", "[1]", R"({"data":{"resultType":"cheese","result":[]}})",
               R"({"data":{"resultType":"streams","result":[{"values":[]}]}})",
               R"({"data":{"resultType":"streams","result":[{"stream":{},"values":[[1,"x"]]}]}})",
               R"({"data":{"resultType":"streams","result":[{"stream":{},"values":[["x","y"]]}]}})",
               R"({"data":{"resultType":"matrix","result":[{"metric":{},"values":[["1","2"]]}]}})");
  CAPTURE(json);
  auto answer = ParseLogAnswer(json, false);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code() == ErrorCode::kCorruption);
}

}  // namespace dunlin::cli
