#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "protocol/net/loop.h"
#include "protocol/net/socket_address.h"

/// For this folder only.
namespace dunlin::net {

/// Finds the addresses of one name through the hosts file, then DNS. Its own (c-ares), because the
/// C library's is blocking and, linked statically, loads modules of whatever image it finds itself
/// in. Loop thread only. Destroying it cancels: the callback does not run.
class Resolver {
 public:
  using OnDone = std::function<void(Result<std::vector<SocketAddress>>)>;

  struct Options {
    std::string servers;  // "127.0.0.1:5353,…" instead of those of /etc/resolv.conf
  };

  /// `on_done` runs once, never before this returns, and may destroy the resolver. At least one
  /// address on success. Errors: kNotFound when there is no such name, kUnavailable when no name
  /// server can say, kTimeout when none answers.
  Resolver(Loop& loop, const HostPort& name, OnDone on_done, const Options& options);
  Resolver(Loop& loop, const HostPort& name, OnDone on_done)
      : Resolver(loop, name, std::move(on_done), Options()) {}
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::net
