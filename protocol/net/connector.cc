#include <algorithm>
#include <optional>

#include "protocol/base/text.h"
#include "protocol/base/units.h"
#include "protocol/net/connection.h"
#include "protocol/net/resolver.h"
#include "protocol/net/socket_address.h"
#include "protocol/net/tcp_connection.h"
#include "protocol/net/tls_connection.h"

namespace dunlin::net {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

class TcpConnector final : public Connector {
 public:
  TcpConnector(Loop& loop, const HostPort& target, std::chrono::milliseconds timeout,
               OnDone on_done)
      : loop_(loop),
        target_(target),
        timeout_(timeout),
        deadline_at_(SteadyClock::now() + timeout),
        on_done_(std::move(on_done)),
        deadline_(loop, [this] { OnDeadline(); }),
        next_(loop, [this] { TryNext(); }) {
    deadline_.Start(timeout);
    if (target.host.empty() || IsLocalhost(target.host)) {
      addresses_ = {*SocketAddress::FromLiteral("127.0.0.1", target.port),
                    *SocketAddress::FromLiteral("::1", target.port)};
    } else if (auto literal = SocketAddress::FromLiteral(target.host, target.port)) {
      addresses_ = {*literal};
    } else {
      resolver_.emplace(
          loop, target,
          [this](Result<std::vector<SocketAddress>> found) { OnResolved(std::move(found)); },
          Resolver::Options{loop.name_servers()});
      return;
    }
    next_.Start(0ms);
  }

  std::optional<TlsFailure> tls_failure() const override { return std::nullopt; }

 private:
  void OnResolved(Result<std::vector<SocketAddress>> found) {
    resolver_.reset();
    if (!found) return Finish(NameFailure(found.error().message()));
    addresses_ = std::move(*found);
    TryNext();
  }

  /// Starts on the next address, which gets its share of the time left, so that one which never
  /// answers does not use up the others'.
  void TryNext() {
    while (tried_ < addresses_.size()) {
      auto left = std::max<SteadyClock::duration>(deadline_at_ - SteadyClock::now(), 0ms);
      next_.Start(left / static_cast<int>(addresses_.size() - tried_) + 1ms);
      const SocketAddress& address = addresses_[tried_++];
      socket_ = MakeTcpSocket(loop_);
      socket_->data = this;
      auto* request = new uv_connect_t;
      int status =
          uv_tcp_connect(request, socket_.get(), address.get(), [](uv_connect_t* done, int result) {
            auto* connector = static_cast<TcpConnector*>(done->handle->data);
            delete done;
            if (connector != nullptr) connector->OnConnected(result);
          });
      if (status == 0) return;
      delete request;
      Remember(status);
    }
    // A loop without an address left, or the last one's share over: the deadline is now.
    if (last_status_ == 0) return OnDeadline();
    Finish(Failure());
  }

  void OnConnected(int status) {
    if (status != 0) {
      Remember(status);
      return TryNext();
    }
    Finish(MakeTcpConnection(loop_, std::move(socket_)));
  }

  void OnDeadline() {
    const std::string within = Join(" within ", FormatDuration(timeout_));
    if (resolver_) return Finish(NameFailure(Join("its name did not resolve", within)));
    Finish(Error(ErrorCode::kTimeout, Join(Attempt(), ": no answer", within)));
  }

  /// One code for all that a name can fail with: where to look is the same.
  Error NameFailure(std::string_view cause) const {
    return Error(ErrorCode::kNotFound, Join(Attempt(), ": ", cause));
  }

  void Remember(int status) {
    socket_.reset();
    last_status_ = status;
  }

  /// Whatever stands in the way of a connection may pass: a host, a route, a port.
  Error Failure() const {
    Error error = UvError(last_status_, Attempt());
    if (error.code() == ErrorCode::kTimeout || error.code() == ErrorCode::kPermissionDenied) {
      return error;
    }
    return Error(ErrorCode::kUnavailable, error.message());
  }

  std::string Attempt() const { return Join("cannot connect to ", target_.ToString()); }

  void Finish(Result<std::unique_ptr<Connection>> result) {
    deadline_.Stop();
    next_.Stop();
    resolver_.reset();
    socket_.reset();
    auto callback = std::move(on_done_);
    callback(std::move(result));
  }

  Loop& loop_;
  HostPort target_;
  std::chrono::milliseconds timeout_;
  SteadyClock::time_point deadline_at_;
  OnDone on_done_;
  Timer deadline_;  // of everything
  Timer next_;      // of the address being tried
  std::optional<Resolver> resolver_;
  std::vector<SocketAddress> addresses_;
  std::size_t tried_ = 0;
  HandlePtr<uv_tcp_t> socket_;
  int last_status_ = 0;
};

/// A connection, then a handshake on it, in one time.
class TlsConnector final : public Connector {
 public:
  TlsConnector(Loop& loop, const HostPort& target, std::chrono::milliseconds timeout,
               OnDone on_done, TlsContext& context)
      : loop_(loop),
        target_(target),
        timeout_(timeout),
        context_(context),
        on_done_(std::move(on_done)),
        deadline_(loop, [this] { OnDeadline(); }),
        connector_(std::make_unique<TcpConnector>(
            loop, target, timeout, [this](Result<std::unique_ptr<Connection>> result) {
              OnConnected(std::move(result));
            })) {
    deadline_.Start(timeout);
  }

  std::optional<TlsFailure> tls_failure() const override {
    if (late_) return TlsFailure::kTimeout;
    return handshake_ ? handshake_->failure() : std::nullopt;
  }

 private:
  void OnConnected(Result<std::unique_ptr<Connection>> result) {
    if (!result) return Finish(std::move(result));
    handshake_ = TlsHandshake::Start(
        loop_, std::move(*result), context_, target_.host,
        [this](Result<std::unique_ptr<Connection>> secured) { Finish(std::move(secured)); });
  }

  void OnDeadline() {
    if (!handshake_) return;  // the connector's own deadline is the same
    context_.Count(TlsFailure::kTimeout);
    late_ = true;
    Finish(Error(ErrorCode::kTimeout,
                 Join("no TLS with ", target_.ToString(), " within ", FormatDuration(timeout_))));
  }

  void Finish(Result<std::unique_ptr<Connection>> result) {
    deadline_.Stop();
    auto callback = std::move(on_done_);
    callback(std::move(result));
  }

  Loop& loop_;
  HostPort target_;
  std::chrono::milliseconds timeout_;
  TlsContext& context_;
  OnDone on_done_;
  Timer deadline_;
  std::unique_ptr<TlsHandshake> handshake_;
  std::unique_ptr<Connector> connector_;
  bool late_ = false;
};

}  // namespace

std::unique_ptr<Connector> Connector::Connect(Loop& loop, const HostPort& address,
                                              std::chrono::milliseconds timeout, OnDone on_done,
                                              TlsContext* tls) {
  if (tls != nullptr) {
    return std::make_unique<TlsConnector>(loop, address, timeout, std::move(on_done), *tls);
  }
  return std::make_unique<TcpConnector>(loop, address, timeout, std::move(on_done));
}

}  // namespace dunlin::net
