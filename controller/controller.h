#pragma once

#include <memory>
#include <string>

#include "controller/conductor/conductor.h"
#include "controller/conductor/watcher.h"
#include "controller/http_client.h"
#include "controller/state/store.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/net/address.h"
#include "protocol/net/loop.h"

namespace dunlin::controller {

struct ControllerOptions {
  std::string data;  // absolute
  net::HostPort http{"127.0.0.1", 18880};
  std::string agent;          // the agent's binary, absolute
  std::string keeper;         // dunlin-keeper's, absolute
  std::string collector;      // HOST:PORT[,...] for agents; empty: they capture only
  std::string collector_url;  // where log searches are sent on to; empty: nowhere
  std::string token;          // that requests must carry; empty: none
  std::uint16_t agent_port = 18888;
  /// Whom agents have to prove to be signed by, and what is shown to them; without a CA they are
  /// started without TLS. All paths absolute.
  ClientTls tls;
  std::string agent_tls_cert;  // what they show, to the controller and to collectors
  std::string agent_tls_key;
  StoreOptions store;
  ConductorOptions conductor;
  WatcherOptions watcher;
};

/// The whole controller on one loop. Destroying it stops serving and leaves every container
/// running: the next controller on the same data adopts them. Loop thread only.
class Controller {
 public:
  /// Opens the state, listens, and goes on with what an earlier controller began. Errors: as
  /// Store::Open and net::Listener::Listen; kNotFound when a binary is missing.
  static Result<std::unique_ptr<Controller>> Start(net::Loop& loop, ControllerOptions options,
                                                   const Clock& clock);
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  net::HostPort local_address() const;
  /// Replaces the token that requests must carry.
  void SetToken(std::string token);

 private:
  struct Impl;
  explicit Controller(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::controller
