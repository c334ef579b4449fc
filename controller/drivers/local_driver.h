#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "controller/drivers/driver.h"
#include "protocol/base/file_system.h"

namespace dunlin::controller {

struct LocalDriverOptions {
  std::string directory;       // absolute; one folder per container inside
  std::string agent;           // the agent's binary, absolute
  std::string keeper;          // dunlin-keeper's, absolute
  std::string collector = {};  // HOST:PORT[,...] for agents; empty: none
  std::uint16_t agent_port = 18888;
  /// What agents show and whom they trust: absolute paths; without a CA they speak no TLS.
  std::string tls_ca = {};
  std::string tls_cert = {};
  std::string tls_key = {};
};

/// Containers as processes of this machine: each an agent in a session of its own, started through
/// dunlin-keeper so that it outlives the controller, listening on the container's own loopback
/// address. No isolation beyond what the user and the session give. docs/controller.md, "Local
/// driver", says what lies in a container's folder.
class LocalDriver final : public Driver {
 public:
  LocalDriver(FileSystem& fs, LocalDriverOptions options);

  Result<void> Create(const ContainerPlan& plan) override;
  Result<void> Start(const ContainerPlan& plan) override;
  ContainerState Inspect(const ContainerId& id) override;
  void Terminate(const ContainerId& id) override;
  void Kill(const ContainerId& id) override;
  Result<void> Remove(const ContainerId& id) override;
  std::vector<std::string> LastLines(const ContainerId& id, std::size_t limit) override;
  Result<std::vector<ContainerId>> List() override;

  /// The agent's command line and the environment, for Start and its tests.
  std::vector<std::string> Arguments(const ContainerPlan& plan) const;
  static std::vector<std::string> Environment(const ContainerPlan& plan);

 private:
  std::string Path(const ContainerId& id) const { return options_.directory + "/" + id.text(); }
  std::string Path(const ContainerId& id, const char* name) const { return Path(id) + "/" + name; }

  FileSystem& fs_;
  LocalDriverOptions options_;
};

/// The last `limit` lines of `text`, without line ends. The first is left out when text was cut
/// before it.
std::vector<std::string> LastLinesOf(std::string_view text, std::size_t limit, bool cut);

}  // namespace dunlin::controller
