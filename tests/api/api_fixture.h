#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collector/api/loki_api.h"
#include "collector/metrics/collector_metrics.h"
#include "collector/store/store.h"
#include "protocol/metrics/registry.h"
#include "protocol/net/loop.h"
#include "protocol/net/worker_pool.h"
#include "protocol/server/router.h"
#include "tests/support/manual_clock.h"
#include "tests/support/memory_file_system.h"

namespace dunlin::api {

using HeaderFields = std::vector<std::pair<std::string, std::string>>;

/// Options of a store that lives in memory.
store::StoreOptions SmallStore();

/// The API over a real store in memory, without sockets.
class ApiFixture {
 public:
  explicit ApiFixture(LokiApiOptions options = {},
                      store::StoreOptions store_options = SmallStore());

  /// Sends a request and runs the loop until it is answered. `target` is as in a request line.
  http::Response Ask(std::string_view method, std::string_view target,
                     const HeaderFields& headers = {}, std::string body = {});
  http::Response Get(std::string_view target) { return Ask("GET", target); }
  /// A Loki push as JSON.
  http::Response Push(std::string body);

  /// Sends without waiting; the answer is put into the returned place.
  std::shared_ptr<std::vector<http::Response>> Send(http::Request request);
  http::Request RequestOf(std::string_view method, std::string_view target,
                          const HeaderFields& headers, std::string body) const;

  net::Loop& loop() { return loop_; }
  /// Two threads.
  net::WorkerPool& query_workers() { return query_workers_; }
  testing::ManualClock& clock() { return clock_; }
  store::Store& store() { return *store_; }
  metrics::Registry& registry() { return registry_; }
  /// What the next requests' clients are: gone or there.
  std::shared_ptr<std::atomic<bool>> client_gone = std::make_shared<std::atomic<bool>>(false);

 private:
  net::Loop loop_;
  testing::ManualClock clock_;
  testing::MemoryFileSystem files_;
  metrics::Registry registry_;
  collector::CollectorMetrics metrics_;
  std::unique_ptr<store::Store> store_;
  net::WorkerPool query_workers_;
  net::WorkerPool ingest_workers_;
  LokiApi api_;
  server::Router router_;
};

/// `body` with the value of every "stats" object emptied: it tells times.
std::string WithoutStats(std::string body);

}  // namespace dunlin::api
