#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "protocol/base/result.h"
#include "protocol/base/units.h"
#include "protocol/net/address.h"
#include "protocol/net/loop.h"

namespace dunlin::collector {

/// The settings of one collector: its flags, read.
struct CollectorOptions {
  std::string data_dir;
  net::HostPort http{"127.0.0.1", 3100};
  net::HostPort ingest{"127.0.0.1", 18889};
  std::chrono::nanoseconds retention = std::chrono::hours(24 * 30);  // zero: for ever
  std::uint64_t retention_bytes = 0;                                 // zero: no limit
  std::uint64_t retention_free_bytes = 0;                            // zero: never
  std::uint64_t min_free_bytes = 256_MiB;
  std::string token_file;  // empty: no token
  std::string tls_cert;    // with tls_key: both ports speak TLS
  std::string tls_key;
  std::string tls_client_ca;  // with tls_cert: agents need certificates, HTTP clients may show one
  bool insecure = false;
  std::uint64_t max_agents = 8192;  // connected at once
  std::uint64_t max_entries = 5000;
  std::chrono::nanoseconds query_timeout = std::chrono::seconds(60);
};

/// A whole collector on one loop: store, ingest port, HTTP. Loop thread only.
class Collector {
 public:
  /// Opens the data folder and both ports. Errors: one sentence that names the cause and, where a
  /// flag cures it, the flag.
  static Result<std::unique_ptr<Collector>> Start(net::Loop& loop, const CollectorOptions& options);
  /// Ends what Stop() has left and writes what is in memory to disk.
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  net::HostPort http_address() const;
  net::HostPort ingest_address() const;

  /// Reads the token file again; the old token stays when that fails.
  void Reload();

  /// Answers "not ready", lets batches on their way be stored and acknowledged, tells agents, then
  /// calls `stopped`; at most `limit` later. Destroy the collector then.
  void Stop(std::chrono::milliseconds limit, std::function<void()> stopped);

 private:
  struct Impl;
  explicit Collector(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::collector
