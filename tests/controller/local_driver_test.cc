#include "controller/drivers/local_driver.h"

#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "controller/drivers/container_files.h"
#include "controller/drivers/process_identity.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin::controller {
namespace {

using Presence = Observation::Presence;

/// Polls until `condition` holds; the processes under test belong to the operating system, which
/// tells nobody when they are done.
bool Eventually(const std::function<bool()>& condition) {
  auto give_up = std::chrono::steady_clock::now() + 20s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

/// A driver whose agent is a script that runs the command in its own place.
class DriverFixture {
 public:
  DriverFixture()
      : driver_(PosixFileSystem(), {.directory = dir_.File("containers"),
                                    .agent = WriteAgent(dir_.File("agent.sh")),
                                    .keeper = DUNLIN_KEEPER,
                                    .collector = ""}) {}
  ~DriverFixture() {
    if (auto ids = driver_.List()) {
      for (const ContainerId& id : *ids) (void)driver_.Remove(id);
    }
  }

  ContainerPlan Plan(std::vector<std::string> command, const std::string& id = "ctr_1") {
    ContainerPlan plan;
    plan.id = ContainerId(id);
    plan.deployment = DeploymentId("dpl_1");
    plan.project = "default";
    plan.service = "web";
    plan.address = "127.64.0.1";
    plan.spec.command = std::move(command);
    return plan;
  }
  void Run(const ContainerPlan& plan) {
    REQUIRE(driver_.Create(plan));
    auto started = driver_.Start(plan);
    if (!started) FAIL(started.error().message());
  }
  ContainerState AwaitExit(const ContainerPlan& plan) {
    REQUIRE(Eventually([&] { return driver_.Inspect(plan.id).presence == Presence::kExited; }));
    return driver_.Inspect(plan.id);
  }
  ProcessIdentity Agent(const ContainerPlan& plan) {
    auto text = ReadFile(PosixFileSystem(), Path(plan, files::kAgent));
    REQUIRE(text);
    auto process = ParseProcessIdentity(*text);
    REQUIRE(process);
    return *process;
  }
  std::string Path(const ContainerPlan& plan, const std::string& name) {
    return dir_.File("containers/" + plan.id.text() + "/" + name);
  }

  LocalDriver& operator*() { return driver_; }
  LocalDriver* operator->() { return &driver_; }
  const testing::TempDir& dir() const { return dir_; }

 private:
  static std::string WriteAgent(const std::string& path) {
    std::ofstream(path) << "#!/bin/sh\n"
                           "while [ \"$1\" != \"--\" ]; do shift; done\n"
                           "shift\n"
                           "exec \"$@\"\n";
    ::chmod(path.c_str(), 0755);
    return path;
  }

  testing::TempDir dir_;
  LocalDriver driver_;
};

}  // namespace

TEST_CASE("local container goes from absent over created and running to exited",
          "[controller][driver]") {
  DriverFixture driver;
  auto plan = driver.Plan({"sh", "-c", "read line < gate; exit 3"});
  CHECK(driver->Inspect(plan.id).presence == Presence::kAbsent);
  REQUIRE(driver->Create(plan));
  CHECK(driver->Inspect(plan.id).presence == Presence::kCreated);
  REQUIRE(::mkfifo(driver.Path(plan, "work/gate").c_str(), 0600) == 0);
  REQUIRE(driver->Start(plan));
  CHECK(driver->Inspect(plan.id).presence == Presence::kRunning);
  std::ofstream(driver.Path(plan, "work/gate")) << "go\n";
  ContainerState ended = driver.AwaitExit(plan);
  CHECK(ended.exit_code == 3);
  CHECK_FALSE(ended.signal);
  REQUIRE(driver->Remove(plan.id));
  CHECK(driver->Inspect(plan.id).presence == Presence::kAbsent);
}

TEST_CASE("local container keeps its last lines and says which signal ended it",
          "[controller][driver]") {
  DriverFixture driver;
  auto plan = driver.Plan({"sh", "-c", "echo one; echo two >&2; kill -9 $$"});
  driver.Run(plan);
  ContainerState ended = driver.AwaitExit(plan);
  CHECK(ended.signal == 9);
  CHECK(driver->LastLines(plan.id, 50) == std::vector<std::string>{"one", "two"});
  CHECK(driver->LastLines(plan.id, 1) == std::vector<std::string>{"two"});
}

TEST_CASE("local container's output is kept in bounded memory", "[controller][driver]") {
  DriverFixture driver;
  auto plan = driver.Plan({"sh", "-c", "seq 100000; echo last"});
  driver.Run(plan);
  driver.AwaitExit(plan);
  auto lines = driver->LastLines(plan.id, 3);
  CHECK(lines == std::vector<std::string>{"99999", "100000", "last"});
  auto output = ReadFile(PosixFileSystem(), driver.Path(plan, files::kOutput));
  REQUIRE(output);
  CHECK(output->size() == files::kOutputBytes);
}

TEST_CASE("local container is started once, however often it is asked for",
          "[controller][driver]") {
  DriverFixture driver;
  auto plan = driver.Plan({"sh", "-c", "echo start >> starts; exec sleep 600"});
  driver.Run(plan);
  ProcessIdentity first = driver.Agent(plan);
  REQUIRE(driver->Create(plan));
  REQUIRE(driver->Start(plan));
  CHECK(driver.Agent(plan) == first);
  driver->Kill(plan.id);
  CHECK(driver.AwaitExit(plan).signal == SIGKILL);
  REQUIRE(driver->Start(plan));
  CHECK(driver->Inspect(plan.id).presence == Presence::kExited);
}

TEST_CASE("local container runs in a session of its own, with no descriptor of ours",
          "[controller][driver]") {
  DriverFixture driver;
  auto plan = driver.Plan(
      {"sh", "-c", "ls /proc/self/fd | wc -l > fds.new; mv fds.new fds; exec sleep 600"});
  driver.Run(plan);
  auto stat = ReadProcessStat(driver.Agent(plan).pid);
  REQUIRE(stat);
  CHECK(stat->session != ::getsid(0));
  CHECK(stat->parent != ::getpid());
  REQUIRE(Eventually([&] { return PosixFileSystem().Exists(driver.Path(plan, "work/fds")); }));
  // 0, 1, 2 and the one with which ls reads the folder.
  CHECK(std::stoi(*ReadFile(PosixFileSystem(), driver.Path(plan, "work/fds"))) == 4);
}

TEST_CASE("local container is told its address and gets nothing of the controller's environment",
          "[controller][driver]") {
  DriverFixture driver;
  ::setenv("DUNLIN_DATA", "/nowhere", 1);
  auto plan = driver.Plan({"env"});
  plan.spec.port = 8080;
  plan.spec.env["GREETING"] = "hello";
  driver.Run(plan);
  driver.AwaitExit(plan);
  ::unsetenv("DUNLIN_DATA");
  auto lines = driver->LastLines(plan.id, 50);
  auto has = [&](const std::string& line) {
    return std::count(lines.begin(), lines.end(), line) == 1;
  };
  CHECK(has("HOST=127.64.0.1"));
  CHECK(has("PORT=8080"));
  CHECK(has("GREETING=hello"));
  CHECK_FALSE(has("DUNLIN_DATA=/nowhere"));
}

TEST_CASE("local driver tells the agent who its container is", "[controller][driver]") {
  LocalDriver driver(PosixFileSystem(), {.directory = "/data/containers",
                                         .agent = "/bin/agent",
                                         .keeper = "/bin/keeper",
                                         .collector = "127.0.0.1:18889"});
  ContainerPlan plan;
  plan.id = ContainerId("ctr_1");
  plan.deployment = DeploymentId("dpl_1");
  plan.project = "shop";
  plan.service = "web";
  plan.address = "127.64.0.1";
  plan.spec.command = {"./server", "--", "-x"};
  plan.spec.user = "1000";
  plan.spec.labels["tier"] = "front";
  CHECK(driver.Arguments(plan) == std::vector<std::string>{"/bin/agent",
                                                           "--listen",
                                                           "127.64.0.1:18888",
                                                           "--project",
                                                           "shop",
                                                           "--service",
                                                           "web",
                                                           "--deployment",
                                                           "dpl_1",
                                                           "--container",
                                                           "ctr_1",
                                                           "--stop-signal",
                                                           "TERM",
                                                           "--stop-grace",
                                                           "10s",
                                                           "--passthrough",
                                                           "on",
                                                           "--collector",
                                                           "127.0.0.1:18889",
                                                           "--user",
                                                           "1000",
                                                           "--label",
                                                           "tier=front",
                                                           "--",
                                                           "./server",
                                                           "--",
                                                           "-x"});
}

TEST_CASE("local driver gives agents their TLS files, where there are any",
          "[controller][driver]") {
  LocalDriverOptions options{.directory = "/data", .agent = "/bin/agent", .keeper = "/bin/keeper"};
  ContainerPlan plan;
  plan.address = "127.64.0.1";
  auto flag = [&](const std::string& name) {
    const auto arguments = LocalDriver(PosixFileSystem(), options).Arguments(plan);
    const auto found = std::find(arguments.begin(), arguments.end(), name);
    return found == arguments.end() ? "none" : *std::next(found);
  };
  CHECK(flag("--tls-ca") == "none");
  options.tls_ca = "/certs/ca.pem";
  options.tls_cert = "/certs/web.pem";
  options.tls_key = "/certs/web.key";
  CHECK(flag("--tls-ca") == "/certs/ca.pem");
  CHECK(flag("--tls-cert") == "/certs/web.pem");
  CHECK(flag("--tls-key") == "/certs/web.key");
}

TEST_CASE("local container whose agent cannot be executed says why and can be tried again",
          "[controller][driver]") {
  testing::TempDir dir;
  LocalDriver driver(PosixFileSystem(), {.directory = dir.File("containers"),
                                         .agent = dir.File("no-such-agent"),
                                         .keeper = DUNLIN_KEEPER,
                                         .collector = ""});
  ContainerPlan plan;
  plan.id = ContainerId("ctr_1");
  plan.address = "127.64.0.1";
  plan.spec.command = {"true"};
  REQUIRE(driver.Create(plan));
  auto started = driver.Start(plan);
  REQUIRE_FALSE(started);
  CHECK(started.error().message().find("No such file") != std::string::npos);
  CHECK(driver.Inspect(plan.id).presence == Presence::kCreated);
  REQUIRE(driver.Remove(plan.id));
}

TEST_CASE("local container is not created in a workdir that does not exist",
          "[controller][driver]") {
  DriverFixture driver;
  auto plan = driver.Plan({"true"});
  plan.spec.workdir = driver.dir().File("missing");
  auto created = driver->Create(plan);
  REQUIRE_FALSE(created);
  CHECK(created.error().code() == ErrorCode::kInvalidArgument);
  CHECK(driver->Inspect(plan.id).presence == Presence::kAbsent);
}

TEST_CASE("local container is killed with all it started", "[controller][driver]") {
  DriverFixture driver;
  // A child in its own process group and one in its own session.
  auto plan = driver.Plan({"sh", "-c",
                           "sleep 600 & echo $! > child; setsid sleep 600 & echo $! > other; "
                           "touch done; wait"});
  driver.Run(plan);
  REQUIRE(Eventually([&] { return PosixFileSystem().Exists(driver.Path(plan, "work/done")); }));
  auto alive = [&](const char* name) {
    auto pid = std::stoi(*ReadFile(PosixFileSystem(), driver.Path(plan, name)));
    auto stat = ReadProcessStat(pid);
    return stat && stat->state != 'Z';
  };
  REQUIRE(alive("work/child"));
  REQUIRE(alive("work/other"));
  driver->Kill(plan.id);
  CHECK(Eventually([&] { return !alive("work/child") && !alive("work/other"); }));
  driver.AwaitExit(plan);
}

TEST_CASE("local container whose keeper was killed still counts as running until it ends",
          "[controller][driver]") {
  DriverFixture driver;
  auto plan = driver.Plan({"sleep", "600"});
  driver.Run(plan);
  ProcessIdentity agent = driver.Agent(plan);
  REQUIRE(::kill(agent.session, SIGKILL) == 0);
  CHECK(driver->Inspect(plan.id).presence == Presence::kRunning);
  REQUIRE(driver->Start(plan));
  CHECK(driver.Agent(plan) == agent);
  driver->Kill(plan.id);
  ContainerState ended = driver.AwaitExit(plan);
  CHECK_FALSE(ended.exit_code);
  CHECK_FALSE(ended.signal);
}

TEST_CASE("process identity is not that of a later process with the same number",
          "[controller][driver]") {
  auto stat = ReadProcessStat(::getpid());
  REQUIRE(stat);
  ProcessIdentity own{::getpid(), stat->start_ticks, stat->session, BootId()};
  CHECK(IsRunning(own));
  ProcessIdentity earlier = own;
  earlier.start_ticks -= 1;
  CHECK_FALSE(IsRunning(earlier));
  ProcessIdentity other_boot = own;
  other_boot.boot_id = "another";
  CHECK_FALSE(IsRunning(other_boot));
}

TEST_CASE("process stat is read whatever the process is called", "[controller][driver]") {
  auto stat =
      ParseProcessStat("42 (a) b (c) S 7 42 40 0 -1 4194304 1 0 0 0 1 2 0 0 20 0 1 0 9876 1000 10");
  REQUIRE(stat);
  CHECK(stat->pid == 42);
  CHECK(stat->state == 'S');
  CHECK(stat->parent == 7);
  CHECK(stat->session == 40);
  CHECK(stat->start_ticks == 9876);
  CHECK_FALSE(ParseProcessStat(""));
  CHECK_FALSE(ParseProcessStat("42 (a) S 7"));
}

TEST_CASE("process identity file is read strictly", "[controller][driver]") {
  auto process = ParseProcessIdentity("42 9876 40 boot\n");
  REQUIRE(process);
  CHECK(*process == ProcessIdentity{42, 9876, 40, "boot"});
  auto bad = GENERATE(as<std::string>(), "", "42", "42 9876 40", "x 9876 40 boot", "1 2 3 boot",
                      "42 9876 40 ", "-1 9876 40 boot");
  CAPTURE(bad);
  CHECK_FALSE(ParseProcessIdentity(bad));
}

TEST_CASE("last lines leave out a first line whose beginning is gone", "[controller][driver]") {
  CHECK(LastLinesOf("a\nb\nc\n", 50, /*cut=*/false) == std::vector<std::string>{"a", "b", "c"});
  CHECK(LastLinesOf("a\nb\nc\n", 50, /*cut=*/true) == std::vector<std::string>{"b", "c"});
  CHECK(LastLinesOf("a\nb\nc", 2, /*cut=*/false) == std::vector<std::string>{"b", "c"});
  CHECK(LastLinesOf("", 2, /*cut=*/false).empty());
}

}  // namespace dunlin::controller
