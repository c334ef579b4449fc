#include "protocol/server/session.h"

#include <algorithm>
#include <utility>

#include "protocol/base/clock.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"
#include "protocol/server/http_date.h"

namespace dunlin::server {
namespace {

using namespace std::chrono_literals;

// How long a peer may take to close after our last byte.
constexpr std::chrono::milliseconds kLinger = 2s;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

/// RFC 9110 section 7.6.1: a list of options.
bool AsksToClose(const http::Headers& headers) {
  for (std::string_view option : Split(headers.Get("Connection"), ',')) {
    if (EqualsIgnoreCase(Trim(option), "close")) return true;
  }
  return false;
}

std::string Finished(http::Response response, bool keep_alive, bool head_request) {
  // RFC 9110 section 6.6.1: a server with a clock dates its answers.
  response.headers.Set("Date", FormatHttpDate(SystemClock().Now()));
  return http::Serialize(response, keep_alive, head_request);
}

}  // namespace

/// One request on its way to an answer. Shared by the copies of its Responder; when the last is
/// gone without an answer, the session gives one, so that no client waits for ever.
struct Session::Exchange {
  Session* session;  // null once answered or gone

  explicit Exchange(Session* s) : session(s) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() { Answer(http::Response::Text(500, "the request was dropped unanswered\n")); }

  void Answer(http::Response response) {
    if (Session* asked = std::exchange(session, nullptr)) asked->Answer(std::move(response));
  }
};

Session::Session(net::Loop& loop, std::unique_ptr<net::Connection> connection,
                 const HttpServerOptions& options, const RequestHandler& handler,
                 std::function<void()> on_over)
    : options_(options),
      handler_(handler),
      on_over_(std::move(on_over)),
      connection_(std::move(connection)),
      deadline_(loop, [this] { OnDeadline(); }),
      parser_(options.limits) {
  connection_->on_data = [this](std::string_view bytes) { OnBytes(bytes); };
  connection_->on_end = [this] { OnPeerEnd(); };
  connection_->on_drained = [this] { OnDrained(); };
  connection_->on_close = [this](const std::optional<Error>&) { Over(); };
}

Session::~Session() {
  if (auto exchange = exchange_.lock()) exchange->session = nullptr;
  if (state_ == State::kHandling) cancelled_->store(true);
}

void Session::Serve() {
  deadline_.Start(options_.read_timeout);  // whoever connects has something to ask
  connection_->StartReading();
}

void Session::Refuse(http::Response response) {
  connection_->Write(Finished(std::move(response), /*keep_alive=*/false, /*head_request=*/false));
  Close();
}

void Session::OnBytes(std::string_view bytes) {
  if (state_ == State::kReading) return Consume(bytes);
  waiting_.append(bytes);
  connection_->StopReading();
}

void Session::OnPeerEnd() {
  peer_ended_ = true;
  switch (state_) {
    case State::kReading:
      return Over();
    case State::kHandling:
      // Most likely the client is gone. One that only stopped sending still gets its answer.
      cancelled_->store(true);
      return;
    case State::kSending:
    case State::kClosing:
      return;
  }
}

void Session::Consume(std::string_view bytes) {
  consuming_ = true;
  while (state_ == State::kReading && !bytes.empty()) {
    std::size_t used = parser_.Feed(bytes);
    bytes.remove_prefix(used);
    if (const auto& failure = parser_.failure()) {
      consuming_ = false;
      return Refuse(http::Response::Text(failure->status, Join(failure->message, "\n")));
    }
    if (auto request = parser_.TakeRequest()) {
      Handle(std::move(*request));
    } else if (parser_.TakeContinueExpected()) {
      connection_->Write(std::string(kContinue));
    } else if (used == 0) {
      break;
    }
  }
  consuming_ = false;
  if (state_ == State::kReading) {
    if (peer_ended_) return Close();  // the rest of this request will not come
    return ArmReadDeadline();
  }
  if (!bytes.empty() && state_ != State::kClosing) {
    waiting_.assign(bytes);
    connection_->StopReading();
  }
}

void Session::Handle(http::Request request) {
  state_ = State::kHandling;
  deadline_.Stop();
  request_begun_ = false;
  request.peer = connection_->peer();
  if (const PeerIdentity* identity = connection_->identity()) request.identity = *identity;
  head_request_ = request.method == "HEAD";
  keep_alive_ = parser_.keep_alive();
  cancelled_ = std::make_shared<std::atomic<bool>>(false);
  auto exchange = std::make_shared<Exchange>(this);
  exchange_ = exchange;
  handler_(
      std::move(request),
      [exchange = std::move(exchange)](http::Response response) {
        exchange->Answer(std::move(response));
      },
      cancelled_);
}

void Session::Answer(http::Response response) {
  bool keep_alive = keep_alive_ && !AsksToClose(response.headers);
  connection_->Write(Finished(std::move(response), keep_alive, head_request_));
  if (!keep_alive) return Close();
  if (connection_->pending_write_bytes() == 0) return ReadNext();
  state_ = State::kSending;
  deadline_.Start(options_.write_timeout);
}

void Session::ReadNext() {
  state_ = State::kReading;
  if (consuming_) return;  // the loop there goes on
  if (!peer_ended_) connection_->StartReading();
  Consume(std::exchange(waiting_, {}));
}

void Session::ArmReadDeadline() {
  if (!parser_.in_message()) return deadline_.Start(options_.idle_timeout);
  // Once per request: a byte now and then does not buy more time.
  if (request_begun_) return;
  request_begun_ = true;
  deadline_.Start(options_.read_timeout);
}

void Session::OnDrained() {
  if (state_ == State::kSending) return ReadNext();
  if (state_ == State::kClosing) deadline_.Start(std::min(kLinger, options_.write_timeout));
}

void Session::OnDeadline() {
  if (state_ != State::kReading || !parser_.in_message()) return Over();
  Refuse(http::Response::Text(408, Join("the request was not complete within ",
                                        FormatDuration(options_.read_timeout), "\n")));
}

void Session::Close() {
  state_ = State::kClosing;
  deadline_.Stop();
  connection_->CloseAfterWrites(options_.write_timeout);
}

void Session::Over() {
  auto callback = std::move(on_over_);
  callback();
}

}  // namespace dunlin::server
