#include <unistd.h>

#include "controller/conductor/performer.h"
#include "controller/conductor/watcher.h"
#include "controller/watch/agent_client.h"
#include "controller/watch/observer.h"
#include "controller/watch/probe.h"
#include "protocol/base/text.h"
#include "tests/controller/port.h"
#include "tests/support/catch.h"

namespace dunlin::controller {
namespace {

AgentStatus StatusOf(const std::string& container, AgentStatus::State state) {
  AgentStatus status;
  status.container = container;
  status.state = state;
  status.ready = true;
  return status;
}

using Presence = Observation::Presence;
using Agent = Observation::Agent;

/// A driver that says what a test tells it and remembers what it was asked.
class ScriptedDriver final : public Driver {
 public:
  Result<void> Create(const ContainerPlan&) override { return {}; }
  Result<void> Start(const ContainerPlan&) override { return {}; }
  ContainerState Inspect(const ContainerId&) override { return state; }
  void Terminate(const ContainerId&) override { ++terminated; }
  void Kill(const ContainerId&) override {}
  Result<void> Remove(const ContainerId&) override { return {}; }
  std::vector<std::string> LastLines(const ContainerId&, std::size_t) override { return {}; }
  Result<std::vector<ContainerId>> List() override { return std::vector<ContainerId>(); }

  ContainerState state;
  int terminated = 0;
};

ContainerPlan Plan() {
  ContainerPlan plan;
  plan.id = ContainerId("ctr_1");
  plan.address = "127.0.0.1";
  return plan;
}

Readiness ProbeOf(Readiness::Kind kind) {
  Readiness readiness;
  readiness.kind = kind;
  readiness.timeout = 300ms;
  return readiness;
}

}  // namespace

TEST_CASE("agent status is read with what the controller needs of it", "[controller][watch]") {
  auto status = ParseAgentStatus(
      R"({"container": "ctr_1", "state": "running", "ready": true, "restarts": 2,
          "last_exit": {"code": 1, "signal": 0}, "log": {"dropped": 0}})");
  REQUIRE(status);
  CHECK(status->container == "ctr_1");
  CHECK(status->state == AgentStatus::State::kRunning);
  CHECK(status->ready);
  CHECK(status->restarts == 2);
  CHECK(status->exit_code == 1);
  CHECK_FALSE(status->signal);
}

TEST_CASE("agent status says which signal ended the process last", "[controller][watch]") {
  auto status = ParseAgentStatus(
      R"({"container": "c", "state": "exited", "ready": false,
          "last_exit": {"code": 0, "signal": 9}})");
  REQUIRE(status);
  CHECK(status->signal == 9);
  CHECK_FALSE(status->exit_code);
}

TEST_CASE("every state that an agent names is known", "[controller][watch]") {
  using State = AgentStatus::State;
  auto [name, state] = GENERATE(table<std::string, State>({{"starting", State::kStarting},
                                                           {"running", State::kRunning},
                                                           {"stopping", State::kStopping},
                                                           {"backing-off", State::kBackingOff},
                                                           {"exited", State::kExited}}));
  CAPTURE(name);
  auto status =
      ParseAgentStatus(R"({"container": "c", "ready": false, "state": ")" + name + R"("})");
  REQUIRE(status);
  CHECK(status->state == state);
}

TEST_CASE("what is not an agent's status is refused", "[controller][watch]") {
  auto text = GENERATE(as<std::string>(), "", "[]", "<html>", R"({"state": "running"})",
                       R"({"container": "c", "state": "dancing", "ready": true})",
                       R"({"container": "c", "state": "running"})",
                       R"({"container": 1, "state": "running", "ready": true})");
  CAPTURE(text);
  auto status = ParseAgentStatus(text);
  REQUIRE_FALSE(status);
  CHECK(status.error().code() == ErrorCode::kCorruption);
}

TEST_CASE("an agent of another container on the address is a mismatch", "[controller][watch]") {
  Observation seen;
  ApplyAgentStatus(StatusOf("ctr_2", AgentStatus::State::kRunning), ContainerId("ctr_1"), seen);
  CHECK(seen.agent == Agent::kMismatch);
  CHECK_FALSE(seen.ready);
  CHECK(seen.detail.find("ctr_2") != std::string::npos);
}

TEST_CASE("a container is ready only while its process runs", "[controller][watch]") {
  using State = AgentStatus::State;
  auto [state, ready, stopping] =
      GENERATE(table<State, bool, bool>({{State::kStarting, false, false},
                                         {State::kRunning, true, false},
                                         {State::kStopping, false, true},
                                         {State::kBackingOff, false, false},
                                         {State::kExited, false, false}}));
  Observation seen;
  ApplyAgentStatus(StatusOf("ctr_1", state), ContainerId("ctr_1"), seen);
  CHECK(seen.agent == Agent::kAnswers);
  CHECK(seen.ready == ready);
  CHECK(seen.stopping == stopping);
}

TEST_CASE("a silent agent leaves a running container running", "[controller][watch]") {
  ScriptedDriver driver;
  driver.state.presence = Presence::kRunning;
  Port closed(/*listening=*/false);
  Observer observer(driver, AgentClient(closed.number(), 300ms));
  Observation seen = observer.Observe(Plan());
  CHECK(seen.presence == Presence::kRunning);
  CHECK(seen.agent == Agent::kSilent);
  CHECK_FALSE(seen.detail.empty());
  observer.Stop(Plan());
  CHECK(driver.terminated == 1);
}

TEST_CASE("an agent that accepts and never answers costs one time-out", "[controller][watch]") {
  ScriptedDriver driver;
  driver.state.presence = Presence::kRunning;
  Port mute(/*listening=*/true);
  Observer observer(driver, AgentClient(mute.number(), 300ms));
  auto began = std::chrono::steady_clock::now();
  CHECK(observer.Observe(Plan()).agent == Agent::kSilent);
  CHECK(std::chrono::steady_clock::now() - began < 10s);
}

TEST_CASE("an exit code above 128 is read as the signal that it stands for",
          "[controller][watch]") {
  ScriptedDriver driver;
  driver.state = {Presence::kExited, 137, std::nullopt};
  Observer observer(driver, AgentClient(1, 300ms));
  CHECK(observer.Observe(Plan()).signal == 9);
  driver.state.exit_code = 3;
  CHECK_FALSE(observer.Observe(Plan()).signal);
  driver.state.exit_code = 255;
  CHECK_FALSE(observer.Observe(Plan()).signal);
}

TEST_CASE("TCP probe tells an open port from a closed one", "[controller][watch]") {
  Port open(/*listening=*/true);
  Port closed(/*listening=*/false);
  Readiness readiness = ProbeOf(Readiness::Kind::kTcp);
  CHECK(Probe(readiness, "127.0.0.1", open.number()).ok);
  ProbeResult refused = Probe(readiness, "127.0.0.1", closed.number());
  CHECK_FALSE(refused.ok);
  CHECK(refused.detail.find("refused") != std::string::npos);
  readiness.port = open.number();  // beats the service's own
  CHECK(Probe(readiness, "127.0.0.1", closed.number()).ok);
}

TEST_CASE("HTTP probe that gets no answer fails within its time-out", "[controller][watch]") {
  Port mute(/*listening=*/true);
  auto began = std::chrono::steady_clock::now();
  ProbeResult result = Probe(ProbeOf(Readiness::Kind::kHttp), "127.0.0.1", mute.number());
  CHECK_FALSE(result.ok);
  CHECK(result.detail.find(Join("http://127.0.0.1:", mute.number(), "/")) != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - began < 10s);
}

TEST_CASE("health follows what is known, not what is missing", "[controller][watch]") {
  Observation seen;
  seen.presence = Presence::kExited;
  CHECK(HealthOf(seen, 0, 3) == false);
  seen.presence = Presence::kRunning;
  seen.agent = Agent::kSilent;
  CHECK_FALSE(HealthOf(seen, 0, 3));
  seen.agent = Agent::kAnswers;
  seen.ready = true;
  CHECK(HealthOf(seen, 0, 3) == true);
  seen.ready = false;
  CHECK_FALSE(HealthOf(seen, 2, 3));
  CHECK(HealthOf(seen, 3, 3) == false);
}

TEST_CASE("container states have the words of the API", "[controller][watch]") {
  Observation seen;
  CHECK(ContainerStateName(seen) == "allocated");
  seen.presence = Presence::kCreated;
  CHECK(ContainerStateName(seen) == "created");
  seen.presence = Presence::kRunning;
  CHECK(ContainerStateName(seen) == "unknown");
  seen.agent = Agent::kAnswers;
  CHECK(ContainerStateName(seen) == "running");
  seen.presence = Presence::kExited;
  CHECK(ContainerStateName(seen) == "exited");
}

}  // namespace dunlin::controller
