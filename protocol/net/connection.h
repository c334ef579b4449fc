#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/peer_identity.h"
#include "protocol/base/result.h"
#include "protocol/base/tls_failure.h"
#include "protocol/net/address.h"
#include "protocol/net/loop.h"

namespace dunlin::net {

class TlsContext;

/// A connected byte stream: TCP, or TLS over it. Loop thread only.
///
/// Callbacks may destroy the connection. Destroying it drops the socket at once (unsent bytes are
/// lost) and no callback runs afterwards. Starts paused: set the callbacks, then StartReading().
class Connection {
 public:
  virtual ~Connection() = default;

  /// Bytes as they arrive; the view is valid during the call only. While it runs it may be
  /// replaced, but not cleared: StopReading() instead.
  std::function<void(std::string_view)> on_data;
  /// The peer has finished sending and may still be reading; on_close follows later. When this is
  /// not set, the peer's end is the end of the stream.
  std::function<void()> on_end;
  /// Once, when the stream is over: nothing for the peer's orderly end, else the reason. No
  /// callback follows.
  std::function<void(std::optional<Error>)> on_close;
  /// The write queue became empty; never during Write.
  std::function<void()> on_drained;

  virtual void StartReading() = 0;
  /// The peer's end or failure may go unseen until reading starts again.
  virtual void StopReading() = 0;

  /// Queues `bytes`; a failure arrives through on_close.
  virtual void Write(std::string bytes) = 0;
  /// Bytes accepted by Write and not yet by the kernel: the caller's back-pressure.
  virtual std::size_t pending_write_bytes() const = 0;

  /// Sends what is queued, then closes both ways; on_close follows (at most `linger` later). What
  /// the peer still sends is read and dropped, so that it gets to read the last bytes instead of a
  /// reset.
  virtual void CloseAfterWrites(std::chrono::milliseconds linger) = 0;

  /// "127.0.0.1:51234".
  virtual const std::string& peer() const = 0;
  /// Whose certificate the peer has shown, from the first on_data on; null without TLS or
  /// certificate.
  virtual const PeerIdentity* identity() const = 0;
};

/// A listening TCP socket. Loop thread only. Out of descriptors, it lets new connections wait in
/// the kernel's queue and tries again shortly.
class Listener {
 public:
  using OnAccept = std::function<void(std::unique_ptr<Connection>)>;

  /// Binds and listens; literal addresses, localhost, or no host for every address, IPv6 and IPv4.
  /// Port 0 picks a free one. The callback may destroy the listener. Errors:
  /// kAlreadyExists when the port is in use (the sentence says so and names the address),
  /// kPermissionDenied, kInvalidArgument.
  ///
  /// With `tls`, which outlives the connections, these are delivered before their handshakes, which
  /// begin with StartReading(): one that never comes about is a connection that ends with an error.
  static Result<std::unique_ptr<Listener>> Listen(Loop& loop, const HostPort& address,
                                                  OnAccept on_accept, TlsContext* tls = nullptr);

  virtual ~Listener() = default;
  /// As asked for, with the port actually bound.
  virtual HostPort local_address() const = 0;
};

/// Resolves and connects. Destroying it cancels: the callback does not run.
class Connector {
 public:
  using OnDone = std::function<void(Result<std::unique_ptr<Connection>>)>;

  /// Tries each resolved address in order until `timeout` is over; `on_done` runs exactly once,
  /// never before this returns. Literals and localhost need no resolver; other names go through
  /// c-ares (hosts file and DNS), so a hanging name server never blocks the loop. The callback may
  /// destroy the connector. Errors: kNotFound (no address for the name, whatever the cause),
  /// kUnavailable (refused), kTimeout.
  ///
  /// With `tls`, which outlives the connection, the peer has proved to be `address.host` by then,
  /// and accepted our own certificate. Errors, counted there: kPermissionDenied (certificates),
  /// kCorruption (no TLS we know), kUnavailable, kTimeout.
  static std::unique_ptr<Connector> Connect(Loop& loop, const HostPort& address,
                                            std::chrono::milliseconds timeout, OnDone on_done,
                                            TlsContext* tls = nullptr);

  virtual ~Connector() = default;
  /// While `on_done` runs: what was wrong with the handshake; nothing when something else was.
  virtual std::optional<TlsFailure> tls_failure() const = 0;
};

}  // namespace dunlin::net
