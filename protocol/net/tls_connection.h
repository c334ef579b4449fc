#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "protocol/net/connection.h"
#include "protocol/net/tls_context.h"

/// For this folder only: TLS over any connection.
namespace dunlin::net {

/// The server's end. Returned at once: the handshake begins with StartReading(), and until it is
/// over the connection costs no more than a plain one, as long as the peer says nothing. A failed
/// handshake is counted in `context` and comes through on_close. Closed before its handshake is
/// over, it sends nothing of what was written.
std::unique_ptr<Connection> AcceptTls(Loop& loop, std::unique_ptr<Connection> plain,
                                      TlsContext& context);

/// The client's end: `on_done` runs once, not before this returns, with the connection (paused)
/// once the peer has proved to be `name`, a host name or an IP literal. Destroying the result
/// before that drops the connection, and the callback does not run.
class TlsHandshake {
 public:
  using OnDone = std::function<void(Result<std::unique_ptr<Connection>>)>;
  static std::unique_ptr<TlsHandshake> Start(Loop& loop, std::unique_ptr<Connection> plain,
                                             TlsContext& context, std::string name, OnDone on_done);
  virtual ~TlsHandshake() = default;
  /// What went wrong; nothing before that.
  virtual std::optional<TlsFailure> failure() const = 0;
};

}  // namespace dunlin::net
