#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "collector/ingest/agent_identity.h"
#include "collector/ingest/agent_session.h"
#include "collector/ingest/connection_id.h"
#include "collector/metrics/collector_metrics.h"
#include "collector/store/store.h"
#include "protocol/net/loop.h"
#include "protocol/net/worker_pool.h"

namespace dunlin::ingest {

/// Decodes, enriches and stores agents' batches off the loop: those of one connection one after
/// another, in the order they came, different connections beside each other. Loop thread only.
class BatchPipeline {
 public:
  struct Finished {
    ConnectionId connection{};
    std::uint64_t memory_bytes = 0;
    BatchResult result;
  };
  /// Gets every result exactly once, those that became ready together in one call.
  using OnFinished = std::function<void(std::vector<Finished>)>;

  /// What is passed by reference outlives the pipeline; `store` and `workers` may call back until
  /// they are destroyed, but `on_finished` does not run after the pipeline is.
  BatchPipeline(net::Loop& loop, net::WorkerPool& workers, store::Store& store,
                collector::CollectorMetrics& metrics, const Clock& clock, OnFinished on_finished);
  ~BatchPipeline();
  BatchPipeline(const BatchPipeline&) = delete;
  BatchPipeline& operator=(const BatchPipeline&) = delete;

  void Open(ConnectionId connection, const AgentIdentity& identity);
  void Submit(ConnectionId connection, ReceivedBatch batch);
  /// Forgets batches that no worker has begun with; they finish as refused.
  void Close(ConnectionId connection);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace dunlin::ingest
