#include <algorithm>
#include <string>
#include <utility>

#include "agent/probe_attempt.h"
#include "agent/probe_excerpt.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"
#include "protocol/http/parser.h"
#include "protocol/net/connection.h"

namespace dunlin::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr http::ParserLimits kAnswerLimits{.header_bytes = 16_KiB, .body_bytes = 64_KiB};

milliseconds RoundedUp(nanoseconds time) { return std::chrono::ceil<milliseconds>(time); }

class TcpAttempt final : public ProbeAttempt {
 public:
  TcpAttempt(net::Loop& loop, const TcpTarget& target, nanoseconds timeout, OnDone on_done)
      : on_done_(std::move(on_done)),
        connector_(net::Connector::Connect(
            loop, target.address, RoundedUp(timeout),
            [this](Result<std::unique_ptr<net::Connection>> connected) {
              // The connection is closed at once: that it came about is all that was asked.
              OnDone done = std::move(on_done_);
              done(connected ? Result<void>() : Result<void>(std::move(connected).error()));
            })) {}

 private:
  OnDone on_done_;
  std::unique_ptr<net::Connector> connector_;
};

class HttpAttempt final : public ProbeAttempt {
 public:
  HttpAttempt(net::Loop& loop, const HttpTarget& target, nanoseconds timeout, OnDone on_done)
      : target_(target),
        timeout_(timeout),
        deadline_at_(SteadyClock::now() + timeout),
        on_done_(std::move(on_done)),
        deadline_(loop, [this] { OnDeadline(); }),
        parser_(kAnswerLimits),
        connector_(
            net::Connector::Connect(loop, target.address, RoundedUp(timeout),
                                    [this](Result<std::unique_ptr<net::Connection>> connected) {
                                      OnConnected(std::move(connected));
                                    })) {}

 private:
  void OnConnected(Result<std::unique_ptr<net::Connection>> connected) {
    if (!connected) return Finish(std::move(connected).error());
    connection_ = std::move(*connected);
    // Until here the connector kept the time.
    deadline_.Start(std::max<nanoseconds>(deadline_at_ - SteadyClock::now(), nanoseconds(0)));
    connection_->on_data = [this](std::string_view bytes) { OnData(bytes); };
    connection_->on_close = [this](std::optional<Error> cause) { OnClose(std::move(cause)); };
    connection_->StartReading();
    connection_->Write(Join("GET ", target_.path, " HTTP/1.1\r\nHost: ", HostField(),
                            "\r\nUser-Agent: dunlin-agent/" DUNLIN_VERSION
                            "\r\nAccept: */*\r\nConnection: close\r\n\r\n"));
  }

  void OnData(std::string_view bytes) {
    auto fed = parser_.Feed(bytes);
    if (!fed) {
      // The status stands whatever a body is like that is too large to be read.
      if (fed.error().code() == ErrorCode::kExhausted && parser_.status()) {
        return Finish(Judge(*parser_.status(), {}));
      }
      return Finish(std::move(fed).error().Wrap(Url()));
    }
    if (auto response = parser_.TakeResponse()) Finish(Judge(response->status, response->body));
  }

  void OnClose(std::optional<Error> cause) {
    if (cause) return Finish(std::move(*cause).Wrap(Url()));
    if (auto finished = parser_.Finish(); !finished) {
      return Finish(std::move(finished).error().Wrap(Url()));
    }
    if (auto response = parser_.TakeResponse()) Finish(Judge(response->status, response->body));
  }

  void OnDeadline() {
    Finish(Error(
        ErrorCode::kTimeout,
        Join(Url(), parser_.status() ? ": its answer did not end within " : ": no answer within ",
             FormatDuration(timeout_))));
  }

  Result<void> Judge(int status, std::string_view body) const {
    if (status >= 200 && status <= 399) return {};
    std::string_view said = FirstLineOf(body);
    return Error(ErrorCode::kUnavailable,
                 Join(Url(), " answered ", status, said.empty() ? "" : ": ", said));
  }

  std::string HostField() const {
    net::HostPort address = target_.address;
    if (address.host.empty()) address.host = "localhost";
    return address.ToString();
  }

  std::string Url() const { return Join("http://", target_.address.ToString(), target_.path); }

  void Finish(Result<void> result) {
    deadline_.Stop();
    connection_.reset();
    OnDone done = std::move(on_done_);
    done(std::move(result));
  }

  HttpTarget target_;
  nanoseconds timeout_;
  SteadyClock::time_point deadline_at_;
  OnDone on_done_;
  net::Timer deadline_;
  http::ResponseParser parser_;
  std::unique_ptr<net::Connection> connection_;
  std::unique_ptr<net::Connector> connector_;
};

}  // namespace

std::unique_ptr<ProbeAttempt> AttemptTcp(net::Loop& loop, const TcpTarget& target,
                                         nanoseconds timeout, ProbeAttempt::OnDone on_done) {
  return std::make_unique<TcpAttempt>(loop, target, timeout, std::move(on_done));
}

std::unique_ptr<ProbeAttempt> AttemptHttp(net::Loop& loop, const HttpTarget& target,
                                          nanoseconds timeout, ProbeAttempt::OnDone on_done) {
  return std::make_unique<HttpAttempt>(loop, target, timeout, std::move(on_done));
}

}  // namespace dunlin::agent
