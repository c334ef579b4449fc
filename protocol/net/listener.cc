#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/net/connection.h"
#include "protocol/net/descriptor.h"
#include "protocol/net/socket_address.h"
#include "protocol/net/tcp_connection.h"
#include "protocol/net/tls_connection.h"

namespace dunlin::net {
namespace {

using namespace std::chrono_literals;

constexpr int kBacklog = 511;        // connections the kernel holds while we are busy
constexpr int kAcceptsPerTurn = 64;  // then other sockets get their turn
// Out of descriptors or memory, accept fails at once and the socket stays readable: without a pause
// the loop would spin.
constexpr auto kPauseAfterFailure = 100ms;

/// Errors of one connection, not of accepting (accept(2), "Error handling").
bool IsPeersFault(int error_number) {
  switch (error_number) {
    case EINTR:
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

/// libuv would accept by itself, but in a process out of descriptors its loop may spin or drop
/// connections; a watched socket lets us pause.
class TcpListener final : public Listener {
 public:
  TcpListener(Loop& loop, Descriptor socket, HostPort address, OnAccept on_accept, TlsContext* tls)
      : loop_(loop),
        tls_(tls),
        socket_(std::move(socket)),
        address_(std::move(address)),
        on_accept_(std::move(on_accept)),
        watcher_(loop, socket_.get(), [this] { AcceptSome(); }),
        resume_(loop, [this] { watcher_.Start(); }) {
    watcher_.Start();
  }

  ~TcpListener() override {
    if (destroyed_ != nullptr) *destroyed_ = true;
  }

  HostPort local_address() const override { return address_; }

 private:
  void AcceptSome() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      Descriptor accepted(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!accepted) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        if (IsPeersFault(errno)) continue;
        return Pause(errno);
      }
      failing_ = false;
      auto socket = MakeTcpSocket(loop_);
      if (uv_tcp_open(socket.get(), accepted.get()) != 0) continue;
      accepted.Release();
      auto connection = MakeTcpConnection(loop_, std::move(socket));
      if (tls_ != nullptr) connection = AcceptTls(loop_, std::move(connection), *tls_);
      if (!Deliver(std::move(connection))) return;
    }
  }

  /// Whether this listener is still there afterwards.
  bool Deliver(std::unique_ptr<Connection> connection) {
    bool destroyed = false;
    destroyed_ = &destroyed;
    OnAccept callback = std::move(on_accept_);
    callback(std::move(connection));
    if (destroyed) return false;
    on_accept_ = std::move(callback);
    destroyed_ = nullptr;
    return true;
  }

  void Pause(int error_number) {
    watcher_.Stop();
    resume_.Start(kPauseAfterFailure);
    if (failing_) return;
    failing_ = true;
    log::Warn("cannot accept connections; trying again",
              {{"address", address_.ToString()},
               {"cause", ErrnoError(error_number, "accept").message()}});
  }

  Loop& loop_;
  TlsContext* tls_;
  Descriptor socket_;
  HostPort address_;
  OnAccept on_accept_;
  DescriptorWatcher watcher_;
  Timer resume_;
  bool failing_ = false;       // said so, and not accepted anything since
  bool* destroyed_ = nullptr;  // tells Deliver
};

Result<Descriptor> BindAndListen(const SocketAddress& address, const std::string& attempt) {
  Descriptor socket(
      ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket) return UvError(-errno, attempt);
  int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6) {
    int off = 0;  // "::" takes IPv4 too, whatever the system's default
    setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (bind(socket.get(), address.get(), address.size()) != 0 ||
      listen(socket.get(), kBacklog) != 0) {
    return UvError(-errno, attempt);
  }
  return socket;
}

Result<Descriptor> BindAndListen(const HostPort& address) {
  std::string attempt = Join("cannot listen on ", address.ToString());
  bool anywhere = address.host.empty();
  if (anywhere || IsLocalhost(address.host)) {
    auto v6 = SocketAddress::FromLiteral(anywhere ? "::" : "::1", address.port);
    auto v4 = SocketAddress::FromLiteral(anywhere ? "0.0.0.0" : "127.0.0.1", address.port);
    // Every address is one dual-stack socket; localhost is IPv4 where there is any. Either may be
    // switched off on this machine.
    auto socket = BindAndListen(anywhere ? *v6 : *v4, attempt);
    if (socket || socket.error().code() == ErrorCode::kAlreadyExists ||
        socket.error().code() == ErrorCode::kPermissionDenied) {
      return socket;
    }
    return BindAndListen(anywhere ? *v4 : *v6, attempt);
  }
  auto literal = SocketAddress::FromLiteral(address.host, address.port);
  if (!literal) {
    return Error(ErrorCode::kInvalidArgument,
                 Join(attempt,
                      ": not an address of this machine; give a literal such as 127.0.0.1 "
                      "or ::1, localhost, or no host for every address"));
  }
  return BindAndListen(*literal, attempt);
}

}  // namespace

Result<std::unique_ptr<Listener>> Listener::Listen(Loop& loop, const HostPort& address,
                                                   OnAccept on_accept, TlsContext* tls) {
  auto socket = BindAndListen(address);
  if (!socket) return std::move(socket).error();
  SocketAddress bound;
  socklen_t size = sizeof bound.storage;
  if (getsockname(socket->get(), reinterpret_cast<sockaddr*>(&bound.storage), &size) != 0) {
    return ErrnoError(errno, Join("cannot listen on ", address.ToString()));
  }
  return std::unique_ptr<Listener>(std::make_unique<TcpListener>(
      loop, std::move(*socket), HostPort{address.host, bound.ToHostPort().port},
      std::move(on_accept), tls));
}

}  // namespace dunlin::net
