#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>

#include "collector/metrics/collector_metrics.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/http/message.h"
#include "protocol/net/loop.h"
#include "protocol/net/worker_pool.h"
#include "protocol/server/http_server.h"

namespace dunlin::api {

/// One query while it runs: why it should stop, and what to say then.
class QueryTicket {
 public:
  QueryTicket(server::Cancelled client_gone, SteadyTime arrived, SteadyTime deadline)
      : client_gone_(std::move(client_gone)), arrived_(arrived), deadline_(deadline) {}

  /// Set when the query should stop; hand it to whatever scans.
  const std::atomic<bool>& stop() const { return stop_; }
  SteadyTime arrived() const { return arrived_; }

  /// The answer to a failed query. kCancelled is a deadline hit (504) or a client that has gone
  /// (499); limits and malformed queries are 400, the rest 5xx.
  http::Response Answer(const Error& error) const;

 private:
  friend class QueryGate;

  server::Cancelled client_gone_;
  SteadyTime arrived_;
  SteadyTime deadline_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> timed_out_{false};
};

/// Runs on a worker.
using QueryHandle = std::function<http::Response(const http::Request&, const QueryTicket&)>;

/// Lets a bounded number of queries run and wait, stops those whose client has gone or whose time
/// is up, compresses answers. Loop thread only.
class QueryGate {
 public:
  struct Options {
    std::size_t max_queries = 32;  // running and waiting; more are answered 429
    std::chrono::nanoseconds timeout = std::chrono::seconds(60);
  };

  /// What is passed by reference outlives the gate.
  QueryGate(net::Loop& loop, net::WorkerPool& workers, collector::CollectorMetrics& metrics,
            const Clock& clock, Options options);
  /// Tells running queries to stop; their clients get no answer.
  ~QueryGate();
  QueryGate(const QueryGate&) = delete;
  QueryGate& operator=(const QueryGate&) = delete;

  /// A handler for server::Router::Async that admits and runs `handle`.
  server::RequestHandler Admit(QueryHandle handle);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace dunlin::api
