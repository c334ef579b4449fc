#include "agent/probe_attempt.h"

#include <signal.h>
#include <sys/prctl.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/net/child_process.h"
#include "protocol/net/connection.h"
#include "tests/agent/answering_server.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"
#include "tests/support/temp_dir.h"

namespace dunlin::agent {
namespace {

using namespace std::chrono_literals;
using testing::AnsweringServer;
using testing::RunUntil;

/// Long enough never to be reached by what is meant to pass.
constexpr auto kPatience = 60s;

HttpTarget TargetOf(const AnsweringServer& server, std::string path) {
  return {server.address(), std::move(path)};
}

struct AttemptFixture {
  net::Loop loop;
  std::optional<Result<void>> result;
  int results = 0;
  ProbeAttempt::OnDone on_done = [this](Result<void> got) {
    ++results;
    result = std::move(got);
  };

  /// Empty when the probe passed.
  std::string Await(std::unique_ptr<ProbeAttempt> attempt) {
    CHECK(attempt);
    CHECK_FALSE(result);
    RunUntil(
        loop, [&] { return result.has_value(); }, kPatience);
    CHECK(results == 1);
    return *result ? std::string() : result->error().message();
  }
};

net::HostPort UnusedAddress(net::Loop& loop) {
  // Once bound, so nobody else has it; closed again, so nobody answers.
  auto listener = net::Listener::Listen(loop, {"127.0.0.1", 0}, [](auto) {});
  REQUIRE(listener);
  return (*listener)->local_address();
}

TEST_CASE_METHOD(AttemptFixture, "a tcp probe passes where somebody listens", "[agent][probe]") {
  AnsweringServer server(loop);
  CHECK(Await(AttemptTcp(loop, {server.address()}, kPatience, on_done)).empty());
  RunUntil(loop, [&] { return server.closed == 1; });
}

TEST_CASE_METHOD(AttemptFixture, "a tcp probe tells why it cannot connect", "[agent][probe]") {
  const net::HostPort address = UnusedAddress(loop);
  loop.RunOnce();
  const std::string error = Await(AttemptTcp(loop, {address}, kPatience, on_done));
  CHECK_THAT(error, test::HasText("cannot connect to " + address.ToString()));
  CHECK_THAT(error, test::HasText("refused"));
}

TEST_CASE_METHOD(AttemptFixture, "an http probe asks as a server expects it", "[agent][probe]") {
  AnsweringServer server(loop);
  server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  CHECK(Await(AttemptHttp(loop, TargetOf(server, "/a?b=c"), kPatience, on_done)).empty());
  CHECK_THAT(server.asked, Catch::Matchers::StartsWith("GET /a?b=c HTTP/1.1\r\nHost: " +
                                                       server.address().ToString() + "\r\n"));
  CHECK_THAT(server.asked, test::HasText("\r\nConnection: close\r\n"));
}

TEST_CASE_METHOD(AttemptFixture, "an http probe passes from 200 to 399", "[agent][probe]") {
  auto [answer, error] = GENERATE(table<std::string, std::string>({
      {"200 OK\r\n\r\nfine", ""},
      {"204 No Content\r\n\r\n", ""},
      {"301 Moved Permanently\r\nLocation: /elsewhere\r\n\r\n", ""},
      {"399 Odd\r\nContent-Length: 0\r\n\r\n", ""},
      {"101 Switching Protocols\r\n\r\n", " answered 101"},
      {"400 Bad Request\r\n\r\n\nthe database is away\nmore\n",
       " answered 400: the database is away"},
      {"404 Not Found\r\nContent-Length: 0\r\n\r\n", " answered 404"},
      {"503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n0\r\n\r\n",
       " answered 503: busy"},
  }));
  CAPTURE(answer);
  AnsweringServer server(loop);
  server.answer = "HTTP/1.1 " + answer;
  const std::string got = Await(AttemptHttp(loop, TargetOf(server, "/h"), kPatience, on_done));
  CHECK(got == (error.empty() ? "" : "http://" + server.address().ToString() + "/h" + error));
}

TEST_CASE_METHOD(AttemptFixture, "an http probe fails when what it reads is not HTTP",
                 "[agent][probe]") {
  AnsweringServer server(loop);
  server.answer = GENERATE(values<std::string>(
      {"SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ncut"}));
  const std::string got = Await(AttemptHttp(loop, TargetOf(server, "/h"), kPatience, on_done));
  CHECK_THAT(got, test::HasText("/h: cannot read the HTTP response"));
}

TEST_CASE_METHOD(AttemptFixture, "the status of an endless or large answer is what counts",
                 "[agent][probe]") {
  AnsweringServer server(loop);
  server.closes = false;
  const std::string body(200'000, 'x');
  SECTION("success") {
    server.answer = "HTTP/1.1 200 OK\r\n\r\n" + body;
    CHECK(Await(AttemptHttp(loop, TargetOf(server, "/"), kPatience, on_done)).empty());
  }
  SECTION("failure") {
    server.answer = "HTTP/1.1 500 Oops\r\nContent-Length: 200000\r\n\r\n" + body;
    CHECK_THAT(Await(AttemptHttp(loop, TargetOf(server, "/"), kPatience, on_done)),
               test::HasText("answered 500"));
  }
  // Its connection is closed, wherever in the answer that is.
  RunUntil(loop, [&] { return server.closed == 1; });
}

TEST_CASE_METHOD(AttemptFixture, "an http probe fails when its time is over", "[agent][probe]") {
  AnsweringServer server(loop);
  server.closes = false;
  SECTION("without an answer") {
    CHECK_THAT(Await(AttemptHttp(loop, TargetOf(server, "/"), 50ms, on_done)),
               test::HasText(": no answer within 50ms"));
  }
  SECTION("within an answer") {
    server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    CHECK_THAT(Await(AttemptHttp(loop, TargetOf(server, "/"), 500ms, on_done)),
               test::HasText("within 500ms"));
  }
}

TEST_CASE_METHOD(AttemptFixture, "a probe that is destroyed says nothing more", "[agent][probe]") {
  AnsweringServer server(loop);
  server.closes = false;
  auto attempt = AttemptHttp(loop, TargetOf(server, "/"), kPatience, on_done);
  SECTION("before it is connected") { attempt.reset(); }
  SECTION("while it waits for the answer") {
    RunUntil(loop, [&] { return !server.asked.empty(); });
    attempt.reset();
    RunUntil(loop, [&] { return server.closed == 1; });
  }
  for (int i = 0; i < 10; ++i) loop.RunOnce();
  CHECK_FALSE(result);
}

/// With the one reaper of this process, as the agent has it.
struct ExecFixture : AttemptFixture {
  ChildExits exits;
  int strangers = 0;
  net::Reaper reaper{loop, [this](pid_t pid, net::ExitStatus status) {
                       if (!exits.Report(pid, status)) ++strangers;
                     }};

  /// What its programs leave behind is handed to this process and reaped, not to whatever runs it.
  ExecFixture() { REQUIRE(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0); }

  std::unique_ptr<ProbeAttempt> Attempt(std::vector<std::string> command,
                                        std::chrono::nanoseconds timeout = kPatience) {
    return AttemptExec(loop, {std::move(command)}, {}, exits, timeout, on_done);
  }
  std::unique_ptr<ProbeAttempt> AttemptShell(const std::string& script,
                                             std::chrono::nanoseconds timeout = kPatience) {
    return Attempt({"/bin/sh", "-c", script}, timeout);
  }
  /// Waits until the process whose number is in `file` is no more.
  void AwaitEndOf(const std::string& file) {
    std::string text;
    RunUntil(loop, [&] {
      std::ifstream(file) >> text;
      return !text.empty();
    });
    const pid_t pid = std::atoi(text.c_str());
    REQUIRE(pid > 1);
    RunUntil(
        loop, [&] { return kill(pid, 0) != 0 && errno == ESRCH; }, kPatience);
  }
};

TEST_CASE_METHOD(ExecFixture, "an exec probe passes when its program ends with 0",
                 "[agent][probe]") {
  // It has no input, so reading comes to an end.
  CHECK(Await(AttemptShell("cat; echo fine")).empty());
  CHECK(strangers == 0);
}

TEST_CASE_METHOD(ExecFixture, "an exec probe that fails says how its program ended",
                 "[agent][probe]") {
  SECTION("by its code and last words") {
    CHECK(Await(AttemptShell("echo looking; echo 'no such table' >&2; echo; exit 3")) ==
          "/bin/sh ended with 3: no such table");
  }
  SECTION("silently") { CHECK(Await(AttemptShell("exit 1")) == "/bin/sh ended with 1"); }
  SECTION("by a signal") {
    CHECK(Await(AttemptShell("kill -9 $$")) == "/bin/sh was ended by signal 9");
  }
  SECTION("not having begun") {
    CHECK(Await(Attempt({"/no/such/program"})) == "cannot run /no/such/program: no such file");
  }
  SECTION("after printing far more than is kept") {
    CHECK(Await(AttemptShell("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; "
                             "exit 4")) == "/bin/sh ended with 4: line 19999");
  }
}

TEST_CASE_METHOD(ExecFixture, "a program that hangs is killed with its group", "[agent][probe]") {
  testing::TempDir dir;
  const std::string file = dir.File("pid");
  CHECK(Await(AttemptShell("trap '' TERM; sleep 1000 & echo $! > " + file + "; echo waiting; wait",
                           3s)) == "/bin/sh has not ended within 3s and was killed: waiting");
  AwaitEndOf(file);
}

TEST_CASE_METHOD(ExecFixture, "what a program leaves behind is killed with its group",
                 "[agent][probe]") {
  testing::TempDir dir;
  const std::string file = dir.File("pid");
  // It holds the output open, which is not waited for.
  CHECK(Await(AttemptShell("sleep 1000 & echo $! > " + file)).empty());
  AwaitEndOf(file);
}

TEST_CASE_METHOD(ExecFixture, "a program whose probe is cancelled is killed", "[agent][probe]") {
  testing::TempDir dir;
  const std::string file = dir.File("pid");
  auto attempt = AttemptShell("echo $$ > " + file + "; exec sleep 1000");
  std::string text;
  RunUntil(loop, [&] {
    std::ifstream(file) >> text;
    return !text.empty();
  });
  attempt.reset();
  AwaitEndOf(file);
  CHECK_FALSE(result);
  CHECK(strangers == 0);
}

}  // namespace
}  // namespace dunlin::agent
