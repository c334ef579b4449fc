#include "controller/api/long_polls.h"

#include <optional>
#include <utility>

#include "controller/api/problem.h"
#include "protocol/base/text.h"

namespace dunlin::controller {
namespace {

/// How often a waiting request is checked for a client that has gone.
constexpr std::chrono::seconds kCheckInterval{5};

}  // namespace

struct LongPolls::Waiter {
  DeploymentId id;
  std::string request_id;
  server::Responder respond;
  server::Cancelled cancelled;
  Render render;
  std::unique_ptr<net::Timer> deadline;
  std::unique_ptr<net::Timer> check;
  bool expired = false;
  bool looking = false;
  bool look_again = false;
};

LongPolls::LongPolls(net::Loop& loop, net::WorkerPool& workers, Store& store)
    : loop_(loop), workers_(workers), store_(store) {}

LongPolls::~LongPolls() = default;

void LongPolls::Add(const DeploymentId& id, std::chrono::nanoseconds wait, std::string request_id,
                    server::Responder respond, server::Cancelled cancelled, Render render) {
  std::uint64_t key = next_key_++;
  auto waiter = std::make_unique<Waiter>();
  waiter->id = id;
  waiter->request_id = std::move(request_id);
  waiter->respond = std::move(respond);
  waiter->cancelled = std::move(cancelled);
  waiter->render = std::move(render);
  waiter->expired = wait.count() <= 0;
  if (!waiter->expired) {
    waiter->deadline = std::make_unique<net::Timer>(loop_, [this, key] {
      waiters_.at(key)->expired = true;
      Look(key);
    });
    waiter->deadline->Start(wait);
    waiter->check = std::make_unique<net::Timer>(loop_, [this, key] {
      if (waiters_.at(key)->cancelled->load()) Look(key);
    });
    waiter->check->Start(kCheckInterval, kCheckInterval);
  }
  waiters_.emplace(key, std::move(waiter));
  Look(key);
}

void LongPolls::OnChange(const DeploymentId& id) {
  for (auto& [key, waiter] : waiters_) {
    if (waiter->id == id) Look(key);
  }
}

void LongPolls::Look(std::uint64_t key) {
  Waiter& waiter = *waiters_.at(key);
  if (waiter.looking) {
    waiter.look_again = true;
    return;
  }
  waiter.looking = true;
  using Found = Result<std::optional<DeploymentRecord>>;
  auto found = std::make_shared<std::optional<Found>>();
  workers_.Submit([found, id = waiter.id, &store = store_] { *found = store.Deployment(id); },
                  [found, key, this, alive = std::weak_ptr<bool>(alive_)] {
                    if (!alive.expired()) OnLooked(key, std::move(**found));
                  });
}

void LongPolls::OnLooked(std::uint64_t key, Result<std::optional<DeploymentRecord>> found) {
  Waiter& waiter = *waiters_.at(key);
  waiter.looking = false;
  http::Response response;
  if (!found) {
    response = StorageUnavailable(found.error(), waiter.request_id);
  } else if (!*found) {
    response = ProblemResponse(
        {404, "deployment_not_found", Join("there is no deployment ", waiter.id.text()), {}},
        waiter.request_id);
  } else if (waiter.expired || waiter.cancelled->load() ||
             !OutcomeName((*found)->state.status).empty()) {
    response = waiter.render(**found);
  } else {
    if (std::exchange(waiter.look_again, false)) Look(key);
    return;
  }
  server::Responder respond = std::move(waiter.respond);
  waiters_.erase(key);
  respond(std::move(response));
}

}  // namespace dunlin::controller
