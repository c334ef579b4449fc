#include "tests/collector/collector_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <simdjson.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <future>

#include "protocol/base/base64.h"
#include "protocol/base/text.h"
#include "protocol/http/parser.h"
#include "tests/ingest/agent_frames.h"
#include "tests/support/catch.h"

namespace dunlin::collector {

Peer::Peer(const net::HostPort& address) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  REQUIRE(fd_ >= 0);
  timeval limit{60, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(address.port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
}

Peer::~Peer() { ::close(fd_); }

void Peer::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // closed on us; what was answered before tells why
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Peer::TakeLittle() {
  int bytes = 1;  // the kernel makes it as small as it can
  REQUIRE(::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) == 0);
}

std::string Peer::Receive() {
  std::array<char, 65536> buffer;
  ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
  bool late = size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  INFO("nothing came for a minute");
  REQUIRE_FALSE(late);
  return size <= 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(size));
}

std::string Peer::ReceiveAll() {
  std::string all;
  for (std::string bytes = Receive(); !bytes.empty(); bytes = Receive()) all += bytes;
  return all;
}

ScriptedAgent::ScriptedAgent(const net::HostPort& address, std::string_view service,
                             std::uint8_t id)
    : peer_(address) {
  Send(ingest::PrefaceAndHello(ingest::HelloOf(service, id)));
  welcome = Next();
}

std::string ScriptedAgent::Next() {
  for (;;) {
    auto frame = frames_.Next();
    REQUIRE(frame);
    if (*frame) {
      std::string bytes;
      wire::AppendFrame(bytes, (*frame)->type, (*frame)->payload);
      return ingest::Describe(bytes).front();
    }
    received_ = peer_.Receive();
    if (received_.empty()) return "closed";
    frames_.Feed(received_);
  }
}

void ScriptedAgent::Await(std::string_view wanted) {
  for (;;) {
    std::string word = Next();
    if (word == wanted) return;
    INFO("waiting for " << wanted);
    CAPTURE(word);
    bool over = word == "closed" || word.starts_with("goodbye");
    REQUIRE_FALSE(over);
  }
}

RunningCollector::RunningCollector(CollectorOptions options) : options_(std::move(options)) {
  options_.data_dir = folder_.File("data");
  options_.http = {"127.0.0.1", 0};
  options_.ingest = {"127.0.0.1", 0};
  // A test that says nothing of it also runs on a full disk.
  if (options_.min_free_bytes == CollectorOptions{}.min_free_bytes) options_.min_free_bytes = 0;
  Start();
}

RunningCollector::~RunningCollector() {
  if (thread_.joinable()) Stop();
}

void RunningCollector::Start() {
  std::promise<Result<void>> started;
  thread_ = std::thread([this, &started] {
    net::Loop loop;
    // Keeps Run() going whatever the collector waits for.
    net::Timer forever(loop, [] {});
    forever.Start(std::chrono::hours(1), std::chrono::hours(1));
    auto collector = Collector::Start(loop, options_);
    if (!collector) return started.set_value(collector.error());
    collector_ = *std::move(collector);
    loop_ = &loop;
    http_ = collector_->http_address();
    ingest_ = collector_->ingest_address();
    started.set_value({});
    loop.Run();
    collector_.reset();
  });
  Result<void> result = started.get_future().get();
  if (!result) {
    thread_.join();
    FAIL(result.error().message());
  }
}

void RunningCollector::OnLoop(const std::function<void(Collector&)>& call) {
  std::promise<void> called;
  loop_->Post([&] {
    call(*collector_);
    called.set_value();
  });
  called.get_future().wait();
}

void RunningCollector::Join() {
  thread_.join();
  loop_ = nullptr;
}

void RunningCollector::Stop() {
  net::Loop& loop = *loop_;
  OnLoop([&loop](Collector& collector) {
    collector.Stop(std::chrono::seconds(10), [&loop] { loop.Stop(); });
  });
  Join();
}

void RunningCollector::Cut() {
  net::Loop& loop = *loop_;
  loop.Post([&loop] { loop.Stop(); });
  Join();
}

void RunningCollector::Reload() {
  OnLoop([](Collector& collector) { collector.Reload(); });
}

http::Response RunningCollector::Ask(
    std::string_view method, std::string_view target,
    const std::vector<std::pair<std::string, std::string>>& headers, std::string_view body) {
  std::string request =
      dunlin::Join(method, " ", target, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
  for (const auto& [name, value] : headers) request += dunlin::Join(name, ": ", value, "\r\n");
  if (!body.empty()) request += dunlin::Join("Content-Length: ", body.size(), "\r\n");
  request += "\r\n";
  request += body;
  Peer peer(http_);
  peer.Send(request);
  http::ParserLimits limits;
  limits.body_bytes = 64_MiB;
  http::ResponseParser parser(limits);
  REQUIRE(parser.Feed(peer.ReceiveAll()));
  auto response = parser.TakeResponse();
  REQUIRE(response);
  return *response;
}

std::vector<std::string> RunningCollector::Lines(std::string_view selector) {
  std::string target = dunlin::Join(
      "/loki/api/v1/query_range?limit=5000&direction=forward&start=0&end=4000000000&query=",
      http::EncodePercent(selector));
  http::Response response = Ask("GET", target, {{"X-Dunlin-Line-Encoding", "base64"}});
  CAPTURE(response.body);
  REQUIRE(response.status == 200);
  simdjson::dom::parser parser;
  simdjson::dom::element root = parser.parse(response.body);
  std::vector<std::pair<std::string, std::string>> found;
  for (simdjson::dom::element stream : root["data"]["result"]) {
    for (simdjson::dom::element value : stream["values"]) {
      auto line = ParseBase64(std::string_view(value.at(1)));
      REQUIRE(line);
      found.emplace_back(std::string_view(value.at(0)), *line);
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> lines;
  for (auto& [time, line] : found) lines.push_back(std::move(line));
  return lines;
}

}  // namespace dunlin::collector
