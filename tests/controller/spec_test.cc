#include "controller/model/spec.h"

#include <string>

#include "tests/support/catch.h"

namespace dunlin::controller {
namespace {

/// Field and code of the only error of `json` as a request for a new service; "" when it is good.
std::string ErrorOf(const std::string& json) {
  auto parsed = ParseDeployRequest(json);
  if (parsed.errors.empty()) ApplyDeployRequest(parsed.request, nullptr, parsed.errors);
  if (parsed.errors.empty()) return "";
  CHECK(parsed.errors.size() == 1);
  CHECK_FALSE(parsed.errors.front().detail.empty());
  return parsed.errors.front().field + " " + parsed.errors.front().code;
}

Spec MustParse(const std::string& json) {
  auto parsed = ParseDeployRequest(json);
  Spec spec = ApplyDeployRequest(parsed.request, nullptr, parsed.errors);
  CHECK(parsed.errors.empty());
  return spec;
}

}  // namespace

TEST_CASE("deploy request with every field is read and written back unchanged",
          "[controller][spec]") {
  Spec spec = MustParse(R"({
    "command": ["./server", "--fast"], "env": {"B": "2", "A": "1"}, "workdir": "/srv", "port": 8080,
    "user": "1000:1000", "labels": {"tier": "web"}, "stop": {"signal": "SIGINT", "grace": "3s"},
    "readiness": {"kind": "http", "path": "/up", "port": 9000, "status": 204, "interval": "2s",
                  "timeout": "1s", "min_healthy": "500ms", "deadline": "1m"}})");
  CHECK(spec.command == std::vector<std::string>{"./server", "--fast"});
  CHECK(spec.env == std::map<std::string, std::string>{{"A", "1"}, {"B", "2"}});
  CHECK(spec.workdir == "/srv");
  CHECK(spec.port == 8080);
  CHECK(spec.user == "1000:1000");
  CHECK(spec.labels.at("tier") == "web");
  CHECK(spec.stop == StopPlan{"INT", 3s});
  CHECK(spec.readiness == Readiness{Readiness::Kind::kHttp, "/up", 9000, 204, 2s, 1s, 500ms, 1min});

  auto again = SpecFromJson(SpecToJson(spec));
  REQUIRE(again);
  CHECK(*again == spec);
  CHECK(SpecHash(*again) == SpecHash(spec));
}

TEST_CASE("spec hash changes with the spec", "[controller][spec]") {
  CHECK(SpecHash(MustParse(R"({"command": ["a"]})")) !=
        SpecHash(MustParse(R"({"command": ["a", ""]})")));
}

TEST_CASE("deploy request without a command changes the stored spec", "[controller][spec]") {
  Spec stored = MustParse(R"({"command": ["a"], "env": {"A": "1", "B": "1"}, "port": 80})");
  auto parsed = ParseDeployRequest(R"({"env": {"B": "2"}, "message": "again"})");
  Spec spec = ApplyDeployRequest(parsed.request, &stored, parsed.errors);
  CHECK(parsed.errors.empty());
  CHECK(parsed.request.message == "again");
  CHECK(spec.command == stored.command);
  CHECK(spec.port == 80);
  CHECK(spec.env == std::map<std::string, std::string>{{"A", "1"}, {"B", "2"}});
}

TEST_CASE("deploy request with a command stands for itself", "[controller][spec]") {
  Spec stored = MustParse(R"({"command": ["a"], "env": {"A": "1"}, "port": 80})");
  auto parsed = ParseDeployRequest(R"({"command": ["b"]})");
  Spec spec = ApplyDeployRequest(parsed.request, &stored, parsed.errors);
  CHECK(spec.command == std::vector<std::string>{"b"});
  CHECK(spec.env.empty());
  CHECK(spec.port == 0);
}

TEST_CASE("deploy request refuses what is wrong and names the field", "[controller][spec]") {
  auto [json, want] = GENERATE(table<std::string, std::string>({
      {R"({"command": ["a"]})", ""},
      {"", "command required"},
      {"  ", "command required"},
      {R"({})", "command required"},
      {R"({"command": []})", "command required"},
      {R"({"command": [""]})", "command[0] required"},
      {R"({"command": "sleep 1"})", "command wrong_type"},
      {R"({"command": ["a", 1]})", "command[1] wrong_type"},
      {R"({"command": ["a", "b\u0000c"]})", "command[1] invalid_value"},
      {R"({"command": ["a"], "comand": ["b"]})", "comand unknown_field"},
      {R"({"command": ["a"], "command": ["b"]})", "command duplicate_field"},
      {R"({"command": ["a"], "env": []})", "env wrong_type"},
      {R"({"command": ["a"], "env": {"1A": "x"}})", "env.1A invalid_name"},
      {R"({"command": ["a"], "env": {"A=B": "x"}})", "env.A=B invalid_name"},
      {R"({"command": ["a"], "env": {"DUNLIN_LISTEN": "x"}})", "env.DUNLIN_LISTEN reserved_name"},
      {R"({"command": ["a"], "env": {"A": 1}})", "env.A wrong_type"},
      {R"({"command": ["a"], "env": {"A": "x\u0000"}})", "env.A invalid_value"},
      {R"({"command": ["a"], "env": {"A": "x", "A": "y"}})", "env.A duplicate_field"},
      {R"({"command": ["a"], "workdir": "srv"})", "workdir invalid_path"},
      {R"({"command": ["a"], "user": "root"})", "user invalid_user"},
      {R"({"command": ["a"], "user": "4294967295"})", "user invalid_user"},
      {R"({"command": ["a"], "port": 0})", "port out_of_range"},
      {R"({"command": ["a"], "port": 65536})", "port out_of_range"},
      {R"({"command": ["a"], "port": "80"})", "port wrong_type"},
      {R"({"command": ["a"], "port": 80.5})", "port wrong_type"},
      {R"({"command": ["a"], "image": "nginx"})", "image unsupported"},
      {R"({"command": ["a"], "mode": "supersede"})", "mode unsupported"},
      {R"({"command": ["a"], "labels": {"project": "x"}})", "labels.project reserved_name"},
      {R"({"command": ["a"], "labels": {"a-b": "x"}})", "labels.a-b invalid_name"},
      {R"({"command": ["a"], "stop": {"signal": "STOP"}})", "stop.signal unsupported"},
      {R"({"command": ["a"], "stop": {"grace": "-1s"}})", "stop.grace invalid_duration"},
      {R"({"command": ["a"], "stop": {"grace": "31m"}})", "stop.grace out_of_range"},
      {R"({"command": ["a"], "stop": {"grace": 10}})", "stop.grace wrong_type"},
      {R"({"command": ["a"], "stop": {"graze": "1s"}})", "stop.graze unknown_field"},
      {R"({"command": ["a"], "readiness": {"kind": "prayer"}})", "readiness.kind unsupported"},
      {R"({"command": ["a"], "readiness": {"kind": "tcp"}})", "readiness.port required"},
      {R"({"command": ["a"], "readiness": {"kind": "http", "port": 1, "path": "up"}})",
       "readiness.path invalid_path"},
      {R"({"command": ["a"], "readiness": {"kind": "http", "port": 1, "path": "/a b"}})",
       "readiness.path invalid_path"},
      {R"({"command": ["a"], "readiness": {"min_healthy": "2m"}})",
       "readiness.min_healthy out_of_range"},
      {R"({"command": ["a"], "readiness": {"deadline": "2h"}})", "readiness.deadline out_of_range"},
      {R"(["a"])", " wrong_type"},
      {R"({"command": ["a"])", " malformed_json"},
      {"{\"command\": [\"\xFF\"]}", " malformed_json"},
  }));
  CAPTURE(json);
  CHECK(ErrorOf(json) == want);
}

TEST_CASE("deploy request refuses what is too large", "[controller][spec]") {
  CHECK(ErrorOf(R"({"command": ["a"], "env": {"A": ")" + std::string(32 * 1024 + 1, 'x') +
                "\"}}") == "env.A too_long");
  std::string many = R"({"command": ["a")";
  for (int i = 0; i < 1024; ++i) many += ",\"b\"";
  CHECK(ErrorOf(many + "]}") == "command too_many");
  std::string deep(40, '[');
  CHECK(ErrorOf(R"({"command": )" + deep + std::string(40, ']') + "}") == " too_deep");
}

TEST_CASE("deploy request reports every wrong field at once", "[controller][spec]") {
  auto parsed = ParseDeployRequest(R"({"port": 0, "user": "x", "wat": 1})");
  CHECK(parsed.errors.size() == 3);
  CHECK_FALSE(parsed.malformed);
}

TEST_CASE("names are those that can be host names and aliases", "[controller][spec]") {
  CHECK(IsValidName("a"));
  CHECK(IsValidName("web-1"));
  CHECK(IsValidName(std::string(38, 'a')));
  auto bad = GENERATE(as<std::string>(), "", "-a", "a-", "A", "a_b", "a/b", "a.b", "\xC3\xA4");
  CAPTURE(bad);
  CHECK_FALSE(IsValidName(bad));
  CHECK_FALSE(IsValidName(std::string(39, 'a')));
}

}  // namespace dunlin::controller
