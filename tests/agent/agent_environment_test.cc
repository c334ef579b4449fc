// What surrounds the agent: variables meant for the process, and secrets meant for the agent.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"

namespace dunlin {
namespace {

using testing::AgentRun;
using wire::Output;

std::string FileText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_CASE("a token in the environment is used and leaves no trace", "[agent][environment]") {
  const std::string token = "c5b9f1d27a3e4806";
  AgentRun run;
  run.variables = {"BEFORE=1", "DUNLIN_TOKEN=" + token, "AFTER=1"};
  run.Start({"/bin/sh", "-c", "tr '\\0' '\\n' < /proc/self/environ; echo; echo ready; sleep 60"});
  run.WaitForOutput("ready\n");
  CHECK(run.out.find("\nBEFORE=1\n") != std::string::npos);
  CHECK(run.out.find("\nAFTER=1\n") != std::string::npos);
  CHECK(run.out.find("DUNLIN_TOKEN") == std::string::npos);
  CHECK(run.out.find(token) == std::string::npos);
  const std::string own = FileText("/proc/" + std::to_string(run.pid) + "/environ");
  CHECK(own.find("AFTER=1") != std::string::npos);
  CHECK(own.find("DUNLIN_TOKEN") == std::string::npos);
  CHECK(own.find(token) == std::string::npos);
  run.RunUntil([&] { return !run.collector.hellos.empty(); });
  CHECK(run.collector.hellos[0].token == token);
  CHECK(run.Http("POST /v1/stop").find(" 401 ") != std::string::npos);
  CHECK(run.Http("POST /v1/stop", "Authorization: Bearer " + token + "\r\n").find(" 202 ") !=
        std::string::npos);
  CHECK(run.Wait() == 143);
  CHECK(run.err.find(token) == std::string::npos);
}

TEST_CASE("an empty token in the environment is a usage error", "[agent][environment]") {
  AgentRun run;
  run.variables = {"DUNLIN_TOKEN= "};
  run.StartWorkload({"exit", "0"});
  CHECK(run.Wait() == 2);
  CHECK(run.err.find("DUNLIN_TOKEN") != std::string::npos);
}

TEST_CASE("variables that configure libraries are the process's, not the agent's",
          "[agent][environment]") {
  const std::vector<std::string> hostile = {
      "UV_THREADPOOL_SIZE=0",
      "UV_USE_IO_URING=1",
      "GLIBC_TUNABLES=glibc.malloc.arena_max=512:glibc.malloc.perturb=90",
      "MALLOC_ARENA_MAX=512",
      "MALLOC_PERTURB_=165",
      "MALLOC_TOP_PAD_=1073741824",
      "MALLOC_MMAP_MAX_=0",
      "RES_OPTIONS=ndots:15 timeout:30 attempts:9",
      "LOCALDOMAIN=nowhere.invalid",
      "HOSTALIASES=/dev/zero",
      "TZ=:/dev/zero",
      "SSL_CERT_FILE=/dev/zero",
      "OPENSSL_CONF=/dev/zero",
  };
  AgentRun run;
  run.variables = hostile;
  run.flags[1] = "localhost:" + std::to_string(run.collector.address().port);
  run.Start({"/bin/sh", "-c", "env; echo 'ready '; sleep 60"});
  run.RunUntil(
      [&] { return run.collector.Text(Output::kStdout).find("ready \n") != std::string::npos; });
  for (const std::string& variable : hostile) {
    CAPTURE(variable);
    CHECK(run.out.find("\n" + variable + "\n") != std::string::npos);
  }
  const std::string metrics = run.Get("/metrics");
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_connected") == 1);
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 143);
}

#ifdef DUNLIN_STATIC_AGENT
TEST_CASE("what tunes the C library before main begins is the process's, not the agent's",
          "[agent][environment]") {
  // Each would have the agent set a quarter of a gigabyte aside.
  const std::string variable =
      GENERATE(as<std::string>{}, "GLIBC_TUNABLES=glibc.rtld.optional_static_tls=268435456",
               "GLIBC_TUNABLES=glibc.malloc.top_pad=268435456", "MALLOC_TOP_PAD_=268435456");
  CAPTURE(variable);
  AgentRun run;
  run.variables = {variable};
  run.Start({"/bin/sh", "-c", "env; grep VmData /proc/$PPID/status; echo 'ready '; sleep 60"});
  run.WaitForOutput("ready \n");
  CHECK(run.out.find("\n" + variable + "\n") != std::string::npos);
  const std::size_t at = run.out.find("VmData:");
  REQUIRE(at != std::string::npos);
  CHECK(std::stol(run.out.substr(at + 7)) < 64 * 1024);
}

/// How many free blocks the C library holds in its caches of small ones (tcache), by size: the
/// first thing in the heap of a process, a block of this size that begins with these counts.
/// Nothing where the library does it in another way.
std::optional<std::vector<std::uint16_t>> CachedBlocks(pid_t pid) {
  constexpr std::uint64_t kHeader = 0x291;
  const std::string folder = "/proc/" + std::to_string(pid);
  const std::string maps = FileText(folder + "/maps");
  const std::size_t line = maps.rfind('\n', maps.find("[heap]")) + 1;
  std::vector<std::uint64_t> words(4096);
  std::ifstream memory(folder + "/mem", std::ios::binary);
  memory.seekg(std::stoll(maps.substr(line), nullptr, 16));
  memory.read(reinterpret_cast<char*>(words.data()),
              static_cast<std::streamsize>(words.size() * sizeof(words[0])));
  const auto header = std::find(words.begin(), words.end(), kHeader);
  if (words.end() - header < 17) return std::nullopt;
  std::vector<std::uint16_t> counts(64);
  std::memcpy(counts.data(), &*header + 1, 128);
  return counts;
}

TEST_CASE("small blocks that are free are not kept back by the C library", "[agent][environment]") {
  AgentRun run;
  run.Start({"/bin/sh", "-c", "echo 'ready '; sleep 60"});
  run.RunUntil(
      [&] { return run.collector.Text(Output::kStdout).find("ready \n") != std::string::npos; });
  CHECK(run.Get("/metrics").find("dunlin_agent_connected 1") != std::string::npos);
  const auto counts = CachedBlocks(run.pid);
  if (!counts) return;
  CHECK(*counts == std::vector<std::uint16_t>(64));
}
#endif

}  // namespace
}  // namespace dunlin
