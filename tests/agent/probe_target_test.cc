#include "agent/probe_target.h"

#include <string>
#include <variant>

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

ProbeTarget Parsed(const std::string& text) {
  auto target = ParseProbeTarget(text);
  if (!target) FAIL(text << ": " << target.error().message());
  return *target;
}

TEST_CASE("every form of a probe target is read", "[agent][probe]") {
  auto [text, want] = GENERATE(table<std::string, ProbeTarget>({
      {"http://127.0.0.1:8080/healthz", HttpTarget{{"127.0.0.1", 8080}, "/healthz"}},
      {"http://localhost:1", HttpTarget{{"localhost", 1}, "/"}},
      {"http://web/a?b=c&d=/", HttpTarget{{"web", 80}, "/a?b=c&d=/"}},
      {"http://web:81?b", HttpTarget{{"web", 81}, "/?b"}},
      {"http://:8080/x", HttpTarget{{"", 8080}, "/x"}},
      {"http://[::1]/x", HttpTarget{{"::1", 80}, "/x"}},
      {"http://[::1]:8080/a%20b", HttpTarget{{"::1", 8080}, "/a%20b"}},
      {"tcp://127.0.0.1:5432", TcpTarget{{"127.0.0.1", 5432}}},
      {"tcp://[::1]:1", TcpTarget{{"::1", 1}}},
      {"tcp://:9", TcpTarget{{"", 9}}},
      {"exec:/bin/check --of 'two words'", ExecTarget{{"/bin/check", "--of", "two words"}}},
      {"log:^ready: http://", LogTarget{"^ready: http://"}},
      {"log: listening on .*:[0-9]+$", LogTarget{" listening on .*:[0-9]+$"}},
  }));
  CAPTURE(text);
  CHECK(Parsed(text) == want);
}

TEST_CASE("a probe target that cannot be right is refused with the reason", "[agent][probe]") {
  auto [text, reason] = GENERATE(table<std::string, std::string>({
      {"", "must be http://HOST:PORT/PATH, tcp://HOST:PORT, exec:COMMAND or log:REGEX"},
      {"/healthz", "must be http://"},
      {"HTTP://web/", "must be http://"},
      {"udp://web:1", "must be http://"},
      {"https://web/", "exec:COMMAND"},
      {"http://", "neither a host nor a port"},
      {"http:///healthz", "neither a host nor a port"},
      {"http://web:0/", "port 0"},
      {"http://web:http/", "not a number"},
      {"http://web:65536/", "not a number"},
      {"http://me:secret@web/", "no user name"},
      {"http://we b/", "character no host has"},
      {"http://::1/", "needs brackets"},
      {"http://[::1/", "bracket"},
      {"http://web/a b", "visible ASCII"},
      {"http://web/a\r\nX: y", "visible ASCII"},
      {"http://web/\xC3\xA9", "visible ASCII"},
      {"http://web/#top", "# part"},
      {"tcp://web", "no port"},
      {"tcp://web:0", "port 0"},
      {"tcp://web:80/", "not a number"},
      {"exec:", "must be a command"},
      {"exec:   ", "must be a command"},
      {"exec:a 'b", "quote"},
      {"log:", "empty"},
      {"log:a\nb", "newline"},
      {"log:(a", "a ( has no )"},
  }));
  CAPTURE(text);
  auto target = ParseProbeTarget(text);
  REQUIRE_FALSE(target);
  CHECK(target.error().code() == ErrorCode::kInvalidArgument);
  CHECK_THAT(target.error().message(), test::HasText(reason));
}

TEST_CASE("a probe target's kind is its scheme", "[agent][probe]") {
  CHECK(ProbeKind(Parsed("http://a/")) == "http");
  CHECK(ProbeKind(Parsed("tcp://a:1")) == "tcp");
  CHECK(ProbeKind(Parsed("exec:a")) == "exec");
  CHECK(ProbeKind(Parsed("log:a")) == "log");
}

}  // namespace
}  // namespace dunlin::agent
