#include "controller/cli/commands.h"
#include "controller/cli/log_pages.h"
#include "tests/cli/fake_servers.h"
#include "tests/support/catch.h"

namespace dunlin::cli {
namespace {

using test::FakeServers;
using test::HasText;

std::string Streams(std::string_view values) {
  return Join(R"({"status":"success","data":{"resultType":"streams","result":[)",
              R"({"stream":{"service":"web","detected_level":"error"},"values":[)", values,
              "]}]}}");
}

LogsCommand Web(bool follow) {
  LogsCommand command;
  command.service = "web";
  command.follow = follow;
  return command;
}

}  // namespace

TEST_CASE("a query that begins with a selector asks for lines", "[cli][logs]") {
  CHECK(IsLogQuery("{a=\"b\"}"));
  CHECK(IsLogQuery(" \n# {comment}\n ({a=\"b\"} |= \"x\")"));
  CHECK_FALSE(IsLogQuery("sum(count_over_time({a=\"b\"}[1m]))"));
  CHECK_FALSE(IsLogQuery("# {a=\"b\"}"));
  CHECK_FALSE(IsLogQuery("1 + 1"));
  CHECK_FALSE(IsLogQuery(""));
}

TEST_CASE("a service becomes a selector, quoted", "[cli][logs]") {
  CHECK(ServiceSelector("web", "") == R"({service="web"})");
  CHECK(ServiceSelector("a\"b", "shop") == R"({project="shop", service="a\"b"})");
}

TEST_CASE("logs shows the latest lines, oldest first", "[cli][logs]") {
  FakeServers servers;
  servers.Answer(200, Streams(R"(["999000000000","new"],["998000000000","old"])"));
  CHECK(RunLogs(servers.MakeContext(), Web(/*follow=*/false)) == ExitStatus::kOk);
  CHECK(servers.terminal.out == "1970-01-01T00:16:38.000Z  old\n1970-01-01T00:16:39.000Z  new\n");
  REQUIRE(servers.requests.size() == 1);
  CHECK_THAT(
      servers.requests[0].url,
      HasText("http://127.0.0.1:3100/loki/api/v1/query_range?query=%7Bservice%3D%22web%22%7D") &&
          HasText("&limit=100&direction=backward"));
}

TEST_CASE("logs --json is one object per line", "[cli][logs]") {
  FakeServers servers;
  servers.common.json = true;
  servers.Answer(200, Streams(R"(["999000000001","a \"quoted\" line"])"));
  CHECK(RunLogs(servers.MakeContext(), Web(/*follow=*/false)) == ExitStatus::kOk);
  CHECK(servers.terminal.out ==
        R"({"time":"1970-01-01T00:16:39.000000001Z","labels":{"detected_level":"error",)"
        R"("service":"web"},"line":"a \"quoted\" line"})"
        "\n");
}

TEST_CASE("levels colour a terminal's lines, and their control bytes are harmless", "[cli][logs]") {
  FakeServers servers;
  servers.terminal.is_interactive = true;
  servers.terminal.wants_colours = true;
  servers.Answer(200, Streams(R"(["999000000000","a\u0007b"])"));
  CHECK(RunLogs(servers.MakeContext(), Web(/*follow=*/false)) == ExitStatus::kOk);
  CHECK(servers.terminal.out == "\x1b[2m1970-01-01T00:16:39.000Z\x1b[0m  \x1b[31ma\\x07b\x1b[0m\n");
}

TEST_CASE("lines arrive byte for byte where the collector can", "[cli][logs]") {
  FakeServers servers;
  auto answer = http::Response::Json(200, Streams(R"(["999000000000","/wBhCg=="])"));
  answer.headers.Set("X-Dunlin-Line-Encoding", "base64");
  servers.replies.push_back(FakeServers::Reply(answer));
  LogsCommand command = Web(/*follow=*/false);
  command.raw = true;
  CHECK(RunLogs(servers.MakeContext(), command) == ExitStatus::kOk);
  CHECK(servers.terminal.out == std::string("\xFF\0a\n\n", 5));
  CHECK(servers.requests[0].headers.front() ==
        std::pair<std::string, std::string>("X-Dunlin-Line-Encoding", "base64"));
}

TEST_CASE("no lines is no failure, and is said", "[cli][logs]") {
  FakeServers servers;
  servers.Answer(200, Streams(""));
  CHECK(RunLogs(servers.MakeContext(), Web(/*follow=*/false)) == ExitStatus::kOk);
  CHECK(servers.terminal.out.empty());
  CHECK_THAT(servers.terminal.error, HasText("no lines of {service=\"web\"}"));
}

TEST_CASE("following shows new lines once and outlives a collector's restart", "[cli][logs]") {
  FakeServers servers;
  servers.Answer(200, Streams(R"(["999000000000","one"])"));
  servers.Answer(200, Streams(R"(["999000000000","one"],["999000000000","two"])"));
  servers.Fail(ErrorCode::kUnavailable);
  servers.Answer(503, "starting");
  servers.Answer(
      200, Streams(R"(["999000000000","one"],["999000000000","two"],["999500000000","three"])"));
  servers.pauses_left = 8;
  CHECK(RunLogs(servers.MakeContext(), Web(/*follow=*/true)) == ExitStatus::kOk);
  CHECK(servers.terminal.out ==
        "1970-01-01T00:16:39.000Z  one\n1970-01-01T00:16:39.000Z  two\n"
        "1970-01-01T00:16:39.500Z  three\n");
  CHECK_THAT(servers.terminal.error,
             HasText("the collector does not answer") && HasText("answers again"));
  CHECK_THAT(servers.requests.back().url, HasText("&limit=5000&direction=forward"));
}

TEST_CASE("a collector that is not there at first exits 4", "[cli][logs]") {
  FakeServers servers;
  servers.Fail(ErrorCode::kUnavailable);
  CHECK(RunLogs(servers.MakeContext(), Web(/*follow=*/true)) == ExitStatus::kUnreachable);
}

TEST_CASE("a query shows lines with their service", "[cli][query]") {
  FakeServers servers;
  servers.Answer(200, Streams(R"(["999000000000","x"])"));
  QueryCommand command;
  command.query = "{service=~\".+\"}";
  CHECK(RunQuery(servers.MakeContext(), command) == ExitStatus::kOk);
  CHECK(servers.terminal.out == "1970-01-01T00:16:39.000Z  web  x\n");
}

TEST_CASE("a metric query without a range asks for the value now", "[cli][query]") {
  FakeServers servers;
  servers.Answer(200, R"({"data":{"resultType":"vector","result":[
      {"metric":{"service":"a"},"value":[1000,"7"]},{"metric":{},"value":[1000,"12.5"]}]}})");
  QueryCommand command;
  command.query = "sum by (service) (count_over_time({a=\"b\"}[1h]))";
  SECTION("for people") {
    CHECK(RunQuery(servers.MakeContext(), command) == ExitStatus::kOk);
    CHECK(servers.terminal.out == "{service=\"a\"}  7\n{}             12.5\n");
    CHECK_THAT(servers.requests[0].url, HasText("/loki/api/v1/query?query=sum%20by"));
  }
  SECTION("for programs") {
    servers.common.json = true;
    CHECK(RunQuery(servers.MakeContext(), command) == ExitStatus::kOk);
    CHECK(servers.terminal.out ==
          "{\"time\":\"1970-01-01T00:16:40.000000000Z\",\"labels\":{\"service\":\"a\"},\"value\":"
          "\"7\"}\n"
          "{\"time\":\"1970-01-01T00:16:40.000000000Z\",\"labels\":{},\"value\":\"12.5\"}\n");
  }
}

TEST_CASE("a metric query with a range asks for it, step by step", "[cli][query]") {
  FakeServers servers;
  servers.Answer(200, R"({"data":{"resultType":"matrix","result":[
      {"metric":{"l":"x"},"values":[[990,"1"],[1000,"2"]]}]}})");
  QueryCommand command;
  command.query = "rate({a=\"b\"}[1m])";
  command.step = std::chrono::milliseconds(2500);
  CHECK(RunQuery(servers.MakeContext(), command) == ExitStatus::kOk);
  CHECK(servers.terminal.out ==
        "{l=\"x\"}\n  1970-01-01T00:16:30.000Z  1\n  1970-01-01T00:16:40.000Z  2\n");
  CHECK_THAT(servers.requests[0].url, HasText("/query_range?") && HasText("&step=2.5"));
}

TEST_CASE("a query that the collector does not understand exits 2 with its words", "[cli][query]") {
  FakeServers servers;
  servers.replies.push_back(
      FakeServers::Reply(http::Response::Text(400, "parse error at line 1\nexpected {\n")));
  QueryCommand command;
  command.query = "{";
  CHECK(RunQuery(servers.MakeContext(), command) == ExitStatus::kUsage);
  CHECK(servers.terminal.error ==
        "dunlin: the collector answered 400: parse error at line 1\n  expected {\n");
}

TEST_CASE("a range that ends before it begins is refused unasked", "[cli][query]") {
  FakeServers servers;
  QueryCommand command;
  command.query = "{a=\"b\"}";
  command.from = Moment{std::nullopt, std::chrono::minutes(1)};
  command.to = Moment{std::nullopt, std::chrono::minutes(2)};
  CHECK(RunQuery(servers.MakeContext(), command) == ExitStatus::kUsage);
  CHECK(servers.requests.empty());
}

}  // namespace dunlin::cli
