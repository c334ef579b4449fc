// Slow and hostile clients at the real agent's control listener.
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"
#include "tests/support/tcp_client.h"

namespace dunlin {
namespace {

using testing::AgentRun;
using testing::TcpClient;

constexpr std::size_t kMaxConnections = 64;

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::unique_ptr<TcpClient>> Connect(AgentRun& run, std::size_t count) {
  std::vector<std::unique_ptr<TcpClient>> clients;
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<TcpClient>(run.loop, run.ControlAddress()));
  }
  return clients;
}

double ResidentBytes(AgentRun& run) {
  return AgentRun::Metric(run.Get("/metrics"), "process_resident_memory_bytes");
}

/// The same while /metrics is refused.
double CurrentBytes(AgentRun& run) {
  std::ifstream status("/proc/" + std::to_string(run.pid) + "/statm");
  double pages = 0;
  status >> pages >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

void CheckGrowth(double before, double after, double limit) {
  INFO("resident memory grew from " << before << " to " << after << " bytes");
  if (testing::kMemoryIsReal) CHECK(after - before < limit);
}

TEST_CASE("clients that connect and say nothing, or next to nothing, keep nobody out",
          "[agent][control]") {
  AgentRun run;
  run.StartWorkload({"wait"});
  const double before = ResidentBytes(run);
  // More than there is room for.
  auto clients = Connect(run, kMaxConnections + 20);
  const bool a_byte_each = GENERATE(true, false);
  for (int round = 0; round < 5; ++round) {
    if (a_byte_each) {
      for (auto& client : clients) client->Send("G");
    }
    CHECK(Has(run.Get("/healthz"), "HTTP/1.1 200"));
    CHECK(Has(run.Get("/v1/status"), R"("state":"running")"));
  }
  CheckGrowth(before, ResidentBytes(run), 2'000'000);
  CHECK(Has(run.Http("POST /v1/stop"), "HTTP/1.1 202"));
  CHECK(run.Wait() == 143);
}

/// How often the agent has waited for something to happen.
long Waits(AgentRun& run) {
  std::ifstream status("/proc/" + std::to_string(run.pid) + "/status");
  std::string word;
  long waits = -1;
  while (status >> word) {
    if (word == "voluntary_ctxt_switches:") status >> waits;
  }
  REQUIRE(waits >= 0);
  return waits;
}

TEST_CASE("clients that say nothing, or a byte at a time, cost the loop no turns but those bytes",
          "[agent][control]") {
  constexpr std::size_t kClients = 60;
  constexpr int kRounds = 10;
  AgentRun run;
  run.StartWorkload({"wait"});
  run.RunUntil([&] { return run.collector.durable_lines() == 1; });
  auto waits_for_rounds = [&](std::vector<std::unique_ptr<TcpClient>>* sending) {
    const long before = Waits(run);
    for (int round = 0; round < kRounds; ++round) {
      if (sending != nullptr) {
        for (auto& client : *sending) client->Send("G");
      }
      CHECK(Has(run.Get("/healthz"), "HTTP/1.1 200"));
    }
    return Waits(run) - before;
  };
  const long alone = waits_for_rounds(nullptr);
  auto clients = Connect(run, kClients);
  CHECK(Has(run.Get("/healthz"), "HTTP/1.1 200"));  // behind them, so they are accepted
  // Some turns are the agent's own affairs.
  constexpr long kOwn = 50;
  CHECK(waits_for_rounds(nullptr) <= 2 * alone + kOwn);
  CHECK(waits_for_rounds(&clients) <= 2 * alone + kOwn + kRounds * static_cast<long>(kClients));
}

TEST_CASE("a client that sends too much is told so and cut off", "[agent][control]") {
  AgentRun run;
  run.StartWorkload({"wait"});
  run.RunUntil([&] { return !run.collector.hellos.empty(); });
  TcpClient client(run.loop, run.ControlAddress());
  SECTION("in the head") {
    client.Send("GET /v1/status HTTP/1.1\r\nHost: agent\r\nPadding: " + std::string(9000, 'x'));
    client.TakeThrough("HTTP/1.1 431");
  }
  SECTION("in the body") {
    client.Send("POST /v1/stop HTTP/1.1\r\nHost: agent\r\nContent-Length: 20000\r\n\r\n");
    client.TakeThrough("HTTP/1.1 413");
  }
  SECTION("in chunks") {
    client.Send(
        "POST /v1/stop HTTP/1.1\r\nHost: agent\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n" +
        std::string(20000, 'x'));
    client.TakeThrough("HTTP/1.1 413");
  }
  client.TakeToEnd();
  CHECK(Has(run.Get("/v1/status"), R"("state":"running")"));
}

TEST_CASE("clients that pipeline are answered in order and hold little", "[agent][control]") {
  AgentRun run;
  run.StartWorkload({"wait"});
  const double before = ResidentBytes(run);
  constexpr int kRequests = 200;
  std::string many;
  for (int i = 0; i < kRequests; ++i) many += "GET /healthz HTTP/1.1\r\nHost: agent\r\n\r\n";
  auto clients = Connect(run, 20);
  for (auto& client : clients) client->Send(many);
  for (auto& client : clients) {
    for (int i = 0; i < kRequests; ++i) client->TakeThrough("ok\n");
  }
  CheckGrowth(before, ResidentBytes(run), 3'000'000);
}

TEST_CASE("clients that never read their answers cost a bounded amount and keep nobody out",
          "[agent][control]") {
  AgentRun run;
  run.StartWorkload({"wait"});
  const double before = ResidentBytes(run);
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "GET /metrics HTTP/1.1\r\nHost: agent\r\n\r\n";
  auto clients = Connect(run, 60);
  for (auto& client : clients) {
    client->StopReading();
    client->Send(many);
  }
  for (int round = 0; round < 20; ++round) CHECK(Has(run.Get("/healthz"), "HTTP/1.1 200"));
  CHECK(Has(run.Http("POST /v1/stop"), "HTTP/1.1 "));
  CheckGrowth(before, CurrentBytes(run), 6'000'000);
  clients.clear();
  if (!run.exit) {
    // The commands were refused while answers piled up; with their readers gone they are taken.
    run.RunUntil([&] { return run.exit || Has(run.Http("POST /v1/stop"), "HTTP/1.1 202"); });
  }
  CHECK(run.Wait() == 143);
}

TEST_CASE("a full log queue does not delay control", "[agent][control]") {
  AgentRun run;
  run.collector.acknowledge = run.collector.keep = false;
  run.collector.decode = false;
  run.flags.insert(run.flags.end(), {"--memory-limit", "1MiB", "--when-full",
                                     GENERATE("block", "drop-oldest"), "--passthrough", "off"});
  // Noise, which does not become smaller.
  run.Start({"/bin/sh", "-c", "while :; do head -c 65536 /dev/urandom; done"});
  run.RunUntil([&] {
    const std::string metrics = run.Get("/metrics");
    return AgentRun::Metric(metrics, R"(dunlin_agent_queue_bytes{tier="mem"})") >
           600'000;  // buffers take the rest
  });
  for (int i = 0; i < 10; ++i) CHECK(Has(run.Get("/v1/status"), "HTTP/1.1 200"));
  CHECK(Has(run.Http("POST /v1/stop?grace=2s"), "HTTP/1.1 202"));
  CHECK(run.Wait() == 143);
}

}  // namespace
}  // namespace dunlin
