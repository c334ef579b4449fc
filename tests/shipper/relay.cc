#include "tests/shipper/relay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/units.h"

namespace dunlin::testing {
namespace {

using namespace std::chrono_literals;

}  // namespace

/// From one agent's connection to one of the collector's.
struct Relay::Pipe {
  net::Descriptor agent;
  std::unique_ptr<net::Connector> connector;
  std::unique_ptr<net::Connection> collector;  // none before it is made, or after its end
  std::string early;                           // taken before
  std::string to_agent;                        // what its kernel has not taken yet
  std::size_t taken = 0;
  std::optional<std::size_t> reset_after;
  bool over = false;
};

Relay::Relay(net::Loop& loop, net::HostPort collector, int window_bytes)
    : loop_(loop),
      collector_(std::move(collector)),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      turn_(loop, [this] { Turn(); }) {
  if (window_bytes > 0) {
    // Accepted connections have it from their first packet on.
    setsockopt(listener_.get(), SOL_SOCKET, SO_RCVBUF, &window_bytes, sizeof window_bytes);
    // Loopback's segments of 64 KiB would give the agent's end megabytes to send from.
    const int segment_bytes = 536;
    setsockopt(listener_.get(), IPPROTO_TCP, TCP_MAXSEG, &segment_bytes, sizeof segment_bytes);
  }
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Check(bind(listener_.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) == 0 &&
            listen(listener_.get(), 64) == 0,
        "a loopback port to listen on");
  watcher_ = std::make_unique<net::DescriptorWatcher>(loop, listener_.get(), [this] { Accept(); });
  watcher_->Start();
  turn_.Start(1ms, 1ms);
}

Relay::~Relay() = default;

net::HostPort Relay::address() const {
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  return {"127.0.0.1", ntohs(bound.sin_port)};
}

void Relay::Accept() {
  int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  ++accepted_;
  auto pipe = std::make_unique<Pipe>();
  pipe->agent = net::Descriptor(fd);
  pipe->reset_after = reset_after;
  Pipe* at = pipe.get();
  pipes_.push_back(std::move(pipe));
  at->connector = net::Connector::Connect(
      loop_, collector_, 30s, [at](Result<std::unique_ptr<net::Connection>> result) {
        if (!result) {
          at->over = true;
          return;
        }
        at->collector = std::move(*result);
        at->collector->on_data = [at](std::string_view bytes) { at->to_agent += bytes; };
        at->collector->on_close = [at](std::optional<Error>) { at->over = true; };
        at->collector->StartReading();
        at->collector->Write(std::exchange(at->early, {}));
      });
}

void Relay::Turn() {
  if (silent) return;
  for (auto& pipe : pipes_) {
    if (!pipe->to_agent.empty()) {
      ssize_t sent = send(pipe->agent.get(), pipe->to_agent.data(), pipe->to_agent.size(),
                          MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) pipe->to_agent.erase(0, static_cast<std::size_t>(sent));
    }
    Take(*pipe, bytes_per_millisecond == 0 ? 1_MiB : bytes_per_millisecond);
  }
  pipes_.remove_if([](const auto& pipe) { return pipe->over; });
}

void Relay::Take(Pipe& pipe, std::size_t most) {
  if (pipe.over) return;
  if (pipe.reset_after) most = std::min(most, *pipe.reset_after - pipe.taken);
  std::string bytes(most, '\0');
  ssize_t size = recv(pipe.agent.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (size < 0) {
    pipe.over = errno != EAGAIN;
    return;
  }
  if (size == 0 && most > 0) {
    pipe.over = true;
    return;
  }
  bytes.resize(static_cast<std::size_t>(size));
  pipe.taken += bytes.size();
  taken_bytes_ += bytes.size();
  if (pipe.collector) {
    pipe.collector->Write(std::move(bytes));
  } else {
    pipe.early += bytes;
  }
  if (pipe.reset_after && pipe.taken >= *pipe.reset_after && pipe.collector) Reset(pipe);
}

/// The agent's end gets a reset, not an end; the collector's has what was taken.
void Relay::Reset(Pipe& pipe) {
  linger at_once{1, 0};
  setsockopt(pipe.agent.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  pipe.over = true;
  ++resets_;
}

std::size_t Relay::SendSome(std::string_view bytes) {
  if (pipes_.empty()) return 0;
  ssize_t sent =
      send(pipes_.back()->agent.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent > 0 ? static_cast<std::size_t>(sent) : 0;
}

}  // namespace dunlin::testing
