#include "collector/ingest/loki_push.h"

#include <string>

#include "collector/ingest/entry_codec.h"
#include "protocol/base/text.h"
#include "tests/support/catch.h"

namespace dunlin::ingest {
namespace {

using namespace std::chrono_literals;

const LogTime kNow = LogTimeOf(1'800'000'000'000'000'000);

Result<DecodedPush> Decode(std::string_view body, PushLimits limits = {}) {
  return DecodeLokiPushJson(body, kNow, limits);
}

TEST_CASE("a push becomes rows with labels, metadata and level", "[ingest][push]") {
  auto push = Decode(R"({"streams":[
      {"stream":{"app":"x","env":"p"},"values":[
        ["1735689600000000000","level=info one",{"trace_id":"ab12"}],
        ["1735689600000000001","two \u00e9\u0000"]]},
      {"values":[["5","three"]],"stream":{"app":"y"}}]})");
  REQUIRE(push);
  CHECK(push->entries == 3);
  CHECK(push->rejected_entries() == 0);
  auto rows = DecodeEntries(push->payload);
  REQUIRE(rows);
  REQUIRE(rows->rows.size() == 3);
  CHECK(rows->streams[rows->rows[0].stream] == LabelSet{{"app", "x"}, {"env", "p"}});
  CHECK(rows->metadata[rows->rows[0].metadata] ==
        LabelSet{{"trace_id", "ab12"}, {"detected_level", "info"}});
  CHECK(rows->rows[0].time_ns == 1735689600000000000);
  CHECK(rows->rows[1].line == std::string_view("two \xC3\xA9\0", 7));
  CHECK(rows->metadata[rows->rows[1].metadata] == LabelSet{{"detected_level", "unknown"}});
  CHECK(rows->rows[2].time_ns == 5);
  CHECK(rows->streams[rows->rows[2].stream] == LabelSet{{"app", "y"}});
}

TEST_CASE("a sender's own level is kept", "[ingest][push]") {
  auto push = Decode(R"({"streams":[
      {"stream":{"level":"warn"},"values":[["1","an error"]]},
      {"stream":{"a":"b"},"values":[["1","an error",{"detected_level":"info"}],
                                    ["1","an error",{"severity":"debug"}]]}]})");
  REQUIRE(push);
  auto rows = DecodeEntries(push->payload);
  REQUIRE(rows);
  auto level = [&](std::size_t row) {
    return rows->metadata[rows->rows[row].metadata].Get("detected_level");
  };
  CHECK(level(0) == "warn");
  CHECK(level(1) == "info");
  CHECK(level(2) == "debug");
}

TEST_CASE("nothing to store is fine", "[ingest][push]") {
  auto body = GENERATE(as<std::string>{}, R"({"streams":[]})", R"({"streams":null})",
                       R"({"streams":[{"stream":{"a":"b"},"values":null}]})");
  auto push = Decode(body);
  REQUIRE(push);
  CHECK(push->entries == 0);
}

TEST_CASE("a malformed push is refused whole, naming the place", "[ingest][push]") {
  auto [body, want] = GENERATE(table<std::string, std::string>({
      {"", "the body is not JSON"},
      {"{", "the body is not JSON"},
      {"[]", "not a JSON object"},
      {"{}", "no \"streams\""},
      {R"({"streams":{}})", "\"streams\" is not an array"},
      {R"({"streams":[1]})", "streams[0] is not an object"},
      {R"({"streams":[{"values":[]}]})", "streams[0] has no object \"stream\""},
      {R"({"streams":[{"stream":{"a":"b"}}]})", "streams[0] has no \"values\""},
      {R"({"streams":[{"stream":{"a":1},"values":[]}]})", "streams[0].stream.a is not a string"},
      {R"({"streams":[{"stream":{"a":"b"},"values":[["1","x"],["2"]]}]})",
       "streams[0].values[1] is not ["},
      {R"({"streams":[{"stream":{"a":"b"},"values":[[1,"x"]]}]})",
       "streams[0].values[0][0] is not a time"},
      {R"({"streams":[{"stream":{"a":"b"},"values":[["1.5","x"]]}]})",
       "streams[0].values[0][0] is not a time"},
      {R"({"streams":[{"stream":{"a":"b"},"values":[["1",2]]}]})",
       "streams[0].values[0][1], the line, is not a string"},
      {R"({"streams":[{"stream":{"a":"b"},"values":[["1","x",{"k":1}]]}]})",
       "streams[0].values[0][2].k is not a string"},
      {"{\"streams\":[{\"stream\":{\"a\":\"\xFF\"},\"values\":[]}]}", "the body is not JSON"},
  }));
  CAPTURE(body);
  auto push = Decode(body);
  REQUIRE_FALSE(push);
  CHECK(push.error().code() == ErrorCode::kInvalidArgument);
  CHECK_THAT(push.error().message(), Catch::Matchers::Contains(want));
}

TEST_CASE("entries that break a rule are rejected and the others stored", "[ingest][push]") {
  PushLimits limits;
  limits.line_bytes = 8;
  limits.labels = 2;
  auto push = Decode(R"({"streams":[
      {"stream":{"app":"x"},"values":[["1","good"],["2","much too long"],
                                      ["1800000600000000001","future"],["1800000600000000000","edge"]]},
      {"stream":{"1bad":"x"},"values":[["1","a"],["2","b"]]},
      {"stream":{"a":"1","b":"2","c":"3"},"values":[["1","c"]]},
      {"stream":{"a":"1","a":"2"},"values":[["1","d"]]},
      {"stream":{},"values":[["1","e"]]}]})",
                     limits);
  REQUIRE(push);
  CHECK(push->entries == 2);
  CHECK(push->rejected_entries() == 7);
  CHECK(push->first_fault == "streams[0].values[1]: a line is longer than 8 bytes");
  auto rows = DecodeEntries(push->payload);
  REQUIRE(rows);
  CHECK(rows->rows[0].line == "good");
  CHECK(rows->rows[1].line == "edge");
}

}  // namespace
}  // namespace dunlin::ingest
