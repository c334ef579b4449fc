#include "controller/state/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "tests/support/catch.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace dunlin::controller {
namespace {

/// A store in a folder of its own, with verbs for what a controller does with it.
class StoreFixture {
 public:
  explicit StoreFixture(StoreOptions options = {}) : options_(options) { Reopen(); }

  void Reopen() {
    store_.reset();
    auto opened = Store::Open(PosixFileSystem(), dir_.path(), clock_, options_);
    if (!opened) INFO(opened.error().message());
    REQUIRE(opened);
    store_ = std::move(*opened);
  }
  void Close() { store_.reset(); }

  Acceptance Deploy(const std::string& service, const std::string& json = "{\"command\":[\"a\"]}") {
    clock_.Advance(1ms);
    auto parsed = ParseDeployRequest(json);
    REQUIRE(parsed.errors.empty());
    auto accepted = store_->Accept("default", service, parsed.request);
    REQUIRE(accepted);
    return *accepted;
  }
  DeploymentRecord Get(const DeploymentId& id) {
    auto found = store_->Deployment(id);
    REQUIRE(found);
    REQUIRE(*found);
    return **found;
  }
  std::vector<DeploymentId> Claim() {
    auto claimed = store_->Claim();
    REQUIRE(claimed);
    std::vector<DeploymentId> ids;
    for (const auto& deployment : *claimed) ids.push_back(deployment.id);
    return ids;
  }
  void MakeHealthy(const DeploymentId& id) {
    RolloutState state = Get(id).state;
    state.status = Status::kHealthy;
    state.step = Step::kCommit;
    REQUIRE(store_->Record(id, state, "current version"));
  }
  void Settle(const DeploymentId& id) {
    RolloutState state = Get(id).state;
    state.settled = true;
    REQUIRE(store_->Record(id, state, "settled"));
  }
  ContainerRecord Allocate(const DeploymentId& id) {
    auto container = store_->Allocate(id);
    REQUIRE(container);
    return *container;
  }

  Store& operator*() { return *store_; }
  Store* operator->() { return store_.get(); }
  const std::string& path() const { return dir_.path(); }
  testing::ManualClock& clock() { return clock_; }

 private:
  testing::TempDir dir_;
  testing::ManualClock clock_;
  StoreOptions options_;
  std::unique_ptr<Store> store_;
};

}  // namespace

TEST_CASE("store keeps an accepted deployment as PENDING over a restart", "[controller][store]") {
  StoreFixture store;
  auto accepted = store.Deploy("web", R"({"command": ["a"], "message": "first"})");
  CHECK(accepted.verdict == Acceptance::Verdict::kAccepted);
  store.Reopen();
  DeploymentRecord deployment = store.Get(accepted.deployment);
  CHECK(deployment.state.status == Status::kPending);
  CHECK(deployment.service == "web");
  CHECK(deployment.project == "default");
  CHECK(deployment.number == 1);
  CHECK(deployment.message == "first");
  CHECK(deployment.spec.command == std::vector<std::string>{"a"});
}

TEST_CASE("store refuses a deployment of an unknown service without a command",
          "[controller][store]") {
  StoreFixture store;
  auto accepted = store.Deploy("web", "");
  CHECK(accepted.verdict == Acceptance::Verdict::kNotFound);
  CHECK(store->Services("")->empty());
}

TEST_CASE("store changes nothing for a request that is refused as a whole", "[controller][store]") {
  StoreFixture store;
  store.Deploy("web");
  auto refused = store.Deploy("web", R"({"readiness": {"kind": "http"}})");
  CHECK(refused.verdict == Acceptance::Verdict::kInvalid);
  REQUIRE(refused.errors.size() == 1);
  CHECK(refused.errors[0].field == "readiness.port");
  CHECK((*store->Service("default", "web"))->revision == 1);
}

TEST_CASE("store counts a new revision only when the spec changes", "[controller][store]") {
  StoreFixture store;
  store.Deploy("web");
  store.Deploy("web", "");
  CHECK((*store->Service("default", "web"))->revision == 1);
  store.Deploy("web", R"({"env": {"A": "1"}})");
  CHECK((*store->Service("default", "web"))->revision == 2);
}

TEST_CASE("store lets one deployment of a service wait and the newest win", "[controller][store]") {
  StoreFixture store;
  auto first = store.Deploy("web");
  CHECK(store.Claim() == std::vector{first.deployment});
  auto second = store.Deploy("web", "");
  auto third = store.Deploy("web", "");
  CHECK(third.superseded == second.deployment);
  DeploymentRecord superseded = store.Get(second.deployment);
  CHECK(superseded.state.status == Status::kSuperseded);
  CHECK(superseded.superseded_by == third.deployment);
  CHECK(superseded.finished);
  CHECK(store.Claim().empty());  // the first is still under way

  store.MakeHealthy(first.deployment);
  CHECK(store.Claim().empty());  // and the version before it is still to be stopped
  store.Settle(first.deployment);
  CHECK(store.Claim() == std::vector{third.deployment});
}

TEST_CASE("store rejects a deployment in mode reject while one is under way",
          "[controller][store]") {
  StoreFixture store;
  auto first = store.Deploy("web");
  auto second = store.Deploy("web", R"({"mode": "reject"})");
  CHECK(second.verdict == Acceptance::Verdict::kInProgress);
  CHECK(second.deployment == first.deployment);
  CHECK((*store->History("default", "web", 10, {}))->size() == 1);
}

TEST_CASE("store recognises a repeated request by its key, also after a restart",
          "[controller][store]") {
  StoreFixture store;
  auto request = ParseDeployRequest("{\"command\":[\"a\"]}").request;
  auto first = store->Accept("default", "web", request, {"key-1", "hash-1"});
  REQUIRE(first);
  store.Reopen();
  auto again = store->Accept("default", "web", request, {"key-1", "hash-1"});
  REQUIRE(again);
  CHECK(again->verdict == Acceptance::Verdict::kReplayed);
  CHECK(again->deployment == first->deployment);
  auto other = store->Accept("default", "web", request, {"key-1", "hash-2"});
  REQUIRE(other);
  CHECK(other->verdict == Acceptance::Verdict::kKeyReused);
  CHECK((*store->History("default", "web", 10, {}))->size() == 1);

  store.clock().Advance(25h);
  auto late = store->Accept("default", "web", request, {"key-1", "hash-1"});
  REQUIRE(late);
  CHECK(late->verdict == Acceptance::Verdict::kAccepted);
}

TEST_CASE("store claims the oldest first and no more than the limit", "[controller][store]") {
  StoreFixture store({.max_active_deployments = 2});
  auto a = store.Deploy("a");
  auto b = store.Deploy("b");
  auto c = store.Deploy("c");
  CHECK(store.Claim() == std::vector{a.deployment, b.deployment});
  CHECK(store.Claim().empty());
  store.MakeHealthy(a.deployment);
  store.Settle(a.deployment);
  CHECK(store.Claim() == std::vector{c.deployment});
}

TEST_CASE("store gives back a rollout's state after a restart", "[controller][store]") {
  StoreFixture store;
  auto accepted = store.Deploy("web");
  store.Claim();
  ContainerRecord container = store.Allocate(accepted.deployment);
  RolloutState state = store.Get(accepted.deployment).state;
  state.status = Status::kRollingBack;
  state.step = Step::kUndo;
  state.step_spent = 3s;
  state.total_spent = 7s;
  state.reason = Reason{ReasonCode::kContainerExited, "exited with code 3"};
  state.evidence = Evidence{3, std::nullopt, "a probe", {"one", std::string("t\0wo", 4)}};
  state.warnings = {"previous_not_stopped"};
  REQUIRE(store->Record(accepted.deployment, state, "failing"));
  store.Reopen();
  auto active = store->ActiveDeployments();
  REQUIRE(active);
  REQUIRE(active->size() == 1);
  CHECK(active->front().state == state);
  CHECK(state.container == container.id);
  CHECK(store->Events(accepted.deployment, 0)->back().note == "failing");
}

TEST_CASE("store allocates one container per deployment and no address twice",
          "[controller][store]") {
  StoreFixture store;
  auto web = store.Deploy("web", R"({"command": ["a"], "port": 8080})");
  auto api = store.Deploy("api");
  store.Claim();
  ContainerRecord first = store.Allocate(web.deployment);
  CHECK(store.Allocate(web.deployment).id == first.id);
  CHECK(first.port == 8080);
  CHECK(first.address.substr(0, 4) == "127.");
  ContainerRecord second = store.Allocate(api.deployment);
  CHECK(second.address != first.address);

  REQUIRE(store->MarkRemoved(first.id));
  auto live = store->LiveContainers();
  REQUIRE(live);
  REQUIRE(live->size() == 1);
  CHECK(live->front().id == second.id);
}

TEST_CASE("store makes a HEALTHY deployment current and retires the one before",
          "[controller][store]") {
  StoreFixture store;
  auto first = store.Deploy("web", R"({"command": ["a"], "stop": {"grace": "3s"}})");
  store.Claim();
  ContainerRecord old = store.Allocate(first.deployment);
  store.MakeHealthy(first.deployment);
  store.Settle(first.deployment);
  auto second = store.Deploy("web", R"({"command": ["b"]})");
  store.Claim();
  DeploymentRecord claimed = store.Get(second.deployment);
  CHECK(claimed.state.previous == old.id);
  CHECK(claimed.previous_stop.grace == 3s);
  CHECK(store.Get(first.deployment).state.status == Status::kHealthy);

  store.MakeHealthy(second.deployment);
  CHECK(store.Get(first.deployment).state.status == Status::kRetired);
  CHECK(store.Get(second.deployment).healthy);
  CHECK((*store->Service("default", "web"))->current == second.deployment);
}

TEST_CASE("store calls a container an orphan only when nothing will end it",
          "[controller][store]") {
  StoreFixture store;
  auto orphans = [&] {
    auto found = store->Orphans();
    REQUIRE(found);
    return found->size();
  };
  auto first = store.Deploy("web");
  store.Claim();
  ContainerRecord old = store.Allocate(first.deployment);
  CHECK(orphans() == 0);  // being rolled out
  store.MakeHealthy(first.deployment);
  store.Settle(first.deployment);
  CHECK(orphans() == 0);  // current
  auto second = store.Deploy("web");
  store.Claim();
  store.Allocate(second.deployment);
  store.MakeHealthy(second.deployment);
  CHECK(orphans() == 0);  // awaited by the second
  store.Settle(second.deployment);
  CHECK(orphans() == 1);
  REQUIRE(store->MarkRemoved(old.id));
  CHECK(orphans() == 0);
}

TEST_CASE("store stops the current version and nothing else", "[controller][store]") {
  StoreFixture store;
  using Verdict = StopAcceptance::Verdict;
  auto stop = [&] {
    auto answer = store->Stop("default", "web");
    REQUIRE(answer);
    return *answer;
  };
  CHECK(stop().verdict == Verdict::kNotFound);
  auto first = store.Deploy("web");
  CHECK(stop().verdict == Verdict::kInProgress);
  store.Claim();
  ContainerRecord container = store.Allocate(first.deployment);
  store.MakeHealthy(first.deployment);
  CHECK(stop().verdict == Verdict::kInProgress);  // still settling
  store.Settle(first.deployment);

  auto accepted = stop();
  CHECK(accepted.verdict == Verdict::kAccepted);
  REQUIRE(accepted.deployment);
  CHECK(accepted.deployment->state.status == Status::kStopped);
  CHECK(accepted.deployment->state.previous == container.id);
  CHECK(IsActive(accepted.deployment->state));
  store.Reopen();
  CHECK(store->ActiveDeployments()->size() == 1);

  auto second = store.Deploy("web");
  CHECK(store.Claim().empty());
  store.Settle(first.deployment);
  CHECK(store.Get(first.deployment).state.status == Status::kStopped);
  CHECK(store.Claim() == std::vector{second.deployment});
}

TEST_CASE("store changes health of the current version only", "[controller][store]") {
  StoreFixture store;
  auto first = store.Deploy("web");
  store.Claim();
  CHECK_FALSE(*store->SetHealth(first.deployment, /*healthy=*/false, "gone"));
  store.MakeHealthy(first.deployment);
  CHECK(*store->SetHealth(first.deployment, /*healthy=*/false, "gone"));
  CHECK(store.Get(first.deployment).state.status == Status::kUnhealthy);
  CHECK_FALSE(*store->SetHealth(first.deployment, /*healthy=*/false, "gone"));
  CHECK(*store->SetHealth(first.deployment, /*healthy=*/true, "back"));
}

TEST_CASE("store deletes finished deployments beyond the kept number", "[controller][store]") {
  StoreFixture store({.kept_deployments = 3});
  for (int i = 0; i < 6; ++i) {
    auto accepted = store.Deploy("web");
    store.Claim();
    store.MakeHealthy(accepted.deployment);
    store.Settle(accepted.deployment);
  }
  auto history = store->History("default", "web", 100, {});
  REQUIRE(history);
  REQUIRE(*history);
  REQUIRE((*history)->size() == 3);
  CHECK((**history)[0].number == 6);
  CHECK((**history)[2].number == 4);
}

TEST_CASE("store pages history by number", "[controller][store]") {
  StoreFixture store;
  for (int i = 0; i < 5; ++i) store.Deploy("web");
  auto page = store->History("default", "web", 2, 4);
  REQUIRE(page);
  REQUIRE(*page);
  REQUIRE((*page)->size() == 2);
  CHECK((**page)[0].number == 3);
  CHECK((**page)[1].number == 2);
  CHECK_FALSE(*store->History("default", "nobody", 2, {}));
}

TEST_CASE("store refuses a second controller on its folder", "[controller][store]") {
  StoreFixture store;
  auto second = Store::Open(PosixFileSystem(), store.path(), SystemClock());
  REQUIRE_FALSE(second);
  CHECK(second.error().code() == ErrorCode::kAlreadyExists);
}

TEST_CASE("store refuses a database of a newer program", "[controller][store]") {
  StoreFixture store;
  store.Close();
  {
    auto database = Database::Open(store.path() + "/controller.db");
    REQUIRE(database);
    REQUIRE((*database)->Execute("PRAGMA user_version = 999"));
  }
  auto opened = Store::Open(PosixFileSystem(), store.path(), SystemClock());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code() == ErrorCode::kUnsupported);
}

TEST_CASE("store refuses a damaged database", "[controller][store]") {
  StoreFixture store;
  for (int i = 0; i < 50; ++i) store.Deploy("web");
  store.Close();
  int fd = ::open((store.path() + "/controller.db").c_str(), O_RDWR);
  REQUIRE(fd >= 0);
  std::string garbage(4096, '\xA5');
  REQUIRE(::pwrite(fd, garbage.data(), garbage.size(), 4096) == 4096);
  ::close(fd);
  auto opened = Store::Open(PosixFileSystem(), store.path(), SystemClock());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code() == ErrorCode::kCorruption);
}

TEST_CASE("database commits with every durability that SQLite offers", "[controller][store]") {
  testing::TempDir dir;
  auto database = Database::Open(dir.File("db"));
  REQUIRE(database);
  auto pragma = [&](const char* sql) {
    auto statement = (*database)->Prepare(sql);
    REQUIRE(statement);
    REQUIRE(*statement->Step());
    return statement->Text(0);
  };
  CHECK(pragma("PRAGMA journal_mode") == "wal");
  CHECK(pragma("PRAGMA synchronous") == "2");
  CHECK(pragma("PRAGMA foreign_keys") == "1");
}

}  // namespace dunlin::controller
