#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "controller/cli/client.h"
#include "protocol/base/text.h"
#include "tests/cli/fake_terminal.h"

namespace dunlin::test {

/// A clock that only pauses move.
struct PausedClock final : Clock {
  LogTime Now() const override { return LogTimeOf(1'000'000'000'000) + passed; }
  SteadyTime Steady() const override { return SteadyTime{} + passed; }
  std::chrono::nanoseconds passed{0};
};

/// Controller and collector as a script: each request gets the next answer, and is remembered.
struct FakeServers {
  using Reply = Result<http::Response>;

  /// The next answer. Without any left, the last one is given again.
  void Answer(int status, std::string body) {
    replies.push_back(Reply(http::Response::Json(status, std::move(body))));
  }
  void Fail(ErrorCode code) { replies.push_back(Reply(Error(code, "no luck"))); }

  cli::Context MakeContext() {
    return {common,
            terminal,
            clock,
            [this](const controller::ClientRequest& request) -> Reply {
              requests.push_back(request);
              if (on_request) on_request(request);
              Reply reply = replies.front();
              if (replies.size() > 1) replies.pop_front();
              return reply;
            },
            [this](std::chrono::nanoseconds duration) {
              clock.passed += duration;
              return pauses_left-- > 0;
            },
            [this](std::string note) { interrupt_notes.push_back(std::move(note)); }};
  }

  cli::Common common;
  FakeTerminal terminal;
  PausedClock clock;
  std::deque<Reply> replies;
  std::vector<controller::ClientRequest> requests;
  std::function<void(const controller::ClientRequest&)> on_request;
  int pauses_left = 1000;
  std::vector<std::string> interrupt_notes;
};

}  // namespace dunlin::test
