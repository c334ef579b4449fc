#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/net/address.h"
#include "protocol/net/connection.h"
#include "protocol/net/descriptor.h"
#include "protocol/net/loop.h"

namespace dunlin::testing {

/// A bad network between an agent and a collector: passes bytes on both ways, and is narrow, cuts
/// or goes silent as a test tells it to. Real sockets on loopback. Loop thread only.
class Relay {
 public:
  /// `window_bytes`: of the receive buffer towards the agent, with small segments, so that little
  /// is on its way; 0: the system's own.
  Relay(net::Loop& loop, net::HostPort collector, int window_bytes = 0);
  ~Relay();

  net::HostPort address() const;

  // The script; changes apply to what happens next.
  /// Of the agent's bytes that every millisecond takes on; 0: all there are.
  std::size_t bytes_per_millisecond = 0;
  /// Of new connections: after this many bytes of the agent's the connection is reset. They do
  /// reach the collector.
  std::optional<std::size_t> reset_after;
  /// Nothing is read, passed on, or closed: neither side hears from the other again. New
  /// connections are accepted all the same.
  bool silent = false;

  /// Bytes of the agent's that were taken so far.
  std::size_t taken_bytes() const { return taken_bytes_; }
  std::size_t accepted() const { return accepted_; }
  std::size_t resets() const { return resets_; }

  /// Sends bytes to the agent, as if from the collector; how many of them its kernel took.
  std::size_t SendSome(std::string_view bytes);

 private:
  struct Pipe;

  void Accept();
  void Turn();
  void Take(Pipe& pipe, std::size_t most);
  void Reset(Pipe& pipe);

  net::Loop& loop_;
  net::HostPort collector_;
  net::Descriptor listener_;
  std::unique_ptr<net::DescriptorWatcher> watcher_;
  net::Timer turn_;
  std::list<std::unique_ptr<Pipe>> pipes_;
  std::size_t taken_bytes_ = 0;
  std::size_t accepted_ = 0;
  std::size_t resets_ = 0;
};

}  // namespace dunlin::testing
