#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "collector/collector.h"
#include "protocol/http/message.h"
#include "protocol/wire/frame.h"
#include "tests/support/temp_dir.h"

namespace dunlin::collector {

/// A blocking connection to a port under test; every wait ends with a failed test after a while.
class Peer {
 public:
  explicit Peer(const net::HostPort& address);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void Send(std::string_view bytes);
  /// From now on little is taken in while nobody receives.
  void TakeLittle();
  /// The next bytes; empty when the other side has closed.
  std::string Receive();
  /// Receives until the other side closes.
  std::string ReceiveAll();

 private:
  int fd_;
};

/// An agent as the collector sees one, played line by line.
class ScriptedAgent {
 public:
  /// Connects and introduces itself; `welcome` below tells the answer.
  ScriptedAgent(const net::HostPort& address, std::string_view service, std::uint8_t id = 1);

  void Send(std::string_view bytes) { peer_.Send(bytes); }
  /// The next frame in words ("ack 3"); "closed" at the end.
  std::string Next();
  /// Reads frames until `wanted` comes; a goodbye or the end fails the test.
  void Await(std::string_view wanted);

  std::string welcome;

 private:
  Peer peer_;
  wire::FrameReader frames_;
  std::string received_;
};

/// A collector on a thread of its own, over a real folder, on free ports.
class RunningCollector {
 public:
  RunningCollector() : RunningCollector(CollectorOptions{}) {}
  /// Folder and addresses of `options` are filled in.
  explicit RunningCollector(CollectorOptions options);
  /// Ends in an orderly way.
  ~RunningCollector();
  RunningCollector(const RunningCollector&) = delete;
  RunningCollector& operator=(const RunningCollector&) = delete;

  void Start();
  /// As on SIGTERM: what is on its way is stored and acknowledged.
  void Stop();
  /// Connections are cut without a word. (What kill -9 does to the files is the business of the
  /// store's tests and of the integration tests.)
  void Cut();
  void Reload();

  const net::HostPort& http() const { return http_; }
  const net::HostPort& ingest() const { return ingest_; }
  const std::string& data_dir() const { return options_.data_dir; }

  http::Response Ask(std::string_view method, std::string_view target,
                     const std::vector<std::pair<std::string, std::string>>& headers = {},
                     std::string_view body = {});
  /// The lines of a selector, oldest first, each as its bytes, over all time.
  std::vector<std::string> Lines(std::string_view selector);

 private:
  void OnLoop(const std::function<void(Collector&)>& call);
  void Join();

  testing::TempDir folder_;
  CollectorOptions options_;
  net::HostPort http_;
  net::HostPort ingest_;
  std::thread thread_;
  net::Loop* loop_ = nullptr;             // while running
  std::unique_ptr<Collector> collector_;  // loop thread
};

}  // namespace dunlin::collector
