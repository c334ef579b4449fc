#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "controller/state/store.h"
#include "protocol/net/loop.h"
#include "protocol/net/worker_pool.h"
#include "protocol/server/http_server.h"

namespace dunlin::controller {

/// Requests that wait for a deployment's outcome. Loop thread only; the store is read on workers.
class LongPolls {
 public:
  /// Turns the deployment into the answer.
  using Render = std::function<http::Response(const DeploymentRecord&)>;

  LongPolls(net::Loop& loop, net::WorkerPool& workers, Store& store);
  ~LongPolls();
  LongPolls(const LongPolls&) = delete;
  LongPolls& operator=(const LongPolls&) = delete;

  /// Answers when the outcome is decided, at the latest after `wait`; at once with a zero wait. 404
  /// when there is no such deployment. A client that goes away costs nothing further and changes
  /// nothing for the deployment.
  void Add(const DeploymentId& id, std::chrono::nanoseconds wait, std::string request_id,
           server::Responder respond, server::Cancelled cancelled, Render render);
  /// The deployment's state has been stored.
  void OnChange(const DeploymentId& id);

  std::size_t waiting() const { return waiters_.size(); }

 private:
  struct Waiter;

  void Look(std::uint64_t key);
  void OnLooked(std::uint64_t key, Result<std::optional<DeploymentRecord>> found);

  net::Loop& loop_;
  net::WorkerPool& workers_;
  Store& store_;
  std::uint64_t next_key_ = 0;
  std::map<std::uint64_t, std::unique_ptr<Waiter>> waiters_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dunlin::controller
