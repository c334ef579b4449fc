#include "controller/watch/probe.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "controller/http_client.h"
#include "protocol/base/text.h"
#include "protocol/net/address.h"

namespace dunlin::controller {
namespace {

std::chrono::milliseconds Milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::ceil<std::chrono::milliseconds>(time);
}

ProbeResult ProbeHttp(const Readiness& readiness, const net::HostPort& target) {
  ClientRequest request;
  request.url = Join("http://", target.ToString(), readiness.path);
  request.connect_timeout = Milliseconds(readiness.timeout);
  request.timeout = Milliseconds(readiness.timeout);
  request.max_body_bytes = 1 << 20;
  auto response = Send(request);
  if (!response) return {false, Join("GET ", request.url, ": ", response.error().message())};
  bool ok = readiness.status != 0 ? response->status == readiness.status
                                  : response->status >= 200 && response->status <= 299;
  return {ok, Join("GET ", request.url, " answered ", response->status)};
}

/// errno of an attempt to connect to an IPv4 address, 0 for success.
int Connect(const net::HostPort& target, std::chrono::milliseconds timeout) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(target.port);
  if (::inet_pton(AF_INET, target.host.c_str(), &address.sin_addr) != 1) return EAFNOSUPPORT;
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  int result = 0;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    result = errno;
    pollfd watched{fd, POLLOUT, 0};
    if (result == EINPROGRESS) {
      result = ::poll(&watched, 1, static_cast<int>(timeout.count())) == 1 ? 0 : ETIMEDOUT;
    }
    socklen_t size = sizeof result;
    if (result == 0) ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &size);
  }
  ::close(fd);
  return result;
}

ProbeResult ProbeTcp(const Readiness& readiness, const net::HostPort& target) {
  int error = Connect(target, Milliseconds(readiness.timeout));
  if (error == 0) return {true, Join("connected to ", target.ToString())};
  return {false, ErrnoError(error, Join("cannot connect to ", target.ToString())).message()};
}

}  // namespace

ProbeResult Probe(const Readiness& readiness, const std::string& address, std::uint16_t port) {
  net::HostPort target{address, readiness.port != 0 ? readiness.port : port};
  switch (readiness.kind) {
    case Readiness::Kind::kUptime:
      return {true, ""};
    case Readiness::Kind::kHttp:
      return ProbeHttp(readiness, target);
    case Readiness::Kind::kTcp:
      return ProbeTcp(readiness, target);
  }
  return {false, ""};
}

}  // namespace dunlin::controller
