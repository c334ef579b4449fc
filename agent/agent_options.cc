#include "agent/agent_options.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "protocol/base/file_system.h"

namespace dunlin::agent {
namespace {

/// The container's name as that of a folder.
std::string InstanceOf(const Configuration& configuration) {
  constexpr std::size_t kMostBytes = 64;
  std::string name = configuration.container.substr(0, kMostBytes);
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
    if (!plain) c = '_';
  }
  return name.empty() ? "agent" : name;
}

std::string HostName() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0) return "localhost";
  return name;
}

}  // namespace

shipper::ShipperOptions ShipperOptionsOf(const Configuration& configuration,
                                         const Credentials& credentials, const RandomId& agent_id,
                                         const RandomId& boot_id) {
  shipper::ShipperOptions options;
  options.batcher.batch_bytes = configuration.batch_bytes;
  options.batcher.batch_age = configuration.batch_age;
  options.batcher.rate_limit = configuration.rate_limit;
  options.queue = {configuration.memory_limit, configuration.when_full};
  if (configuration.collectors.empty()) return options;
  shipper::SenderOptions sender;
  sender.collectors = configuration.collectors;
  sender.jitter_seed = RandomU64();
  sender.max_connection_age =
      std::chrono::ceil<std::chrono::milliseconds>(configuration.max_connection_age);
  // Half of the memory may be on its way, the other half can be dropped from.
  sender.session.window_bytes =
      std::min(sender.session.window_bytes, configuration.memory_limit / 2);
  sender.hello.agent_version = DUNLIN_VERSION;
  sender.hello.agent_id = agent_id;
  sender.hello.boot_id = boot_id;
  sender.hello.project = configuration.project;
  sender.hello.service = configuration.service;
  sender.hello.deployment = configuration.deployment;
  sender.hello.container = configuration.container;
  sender.hello.host = HostName();
  sender.hello.labels = configuration.labels;
  sender.hello.token = credentials.token;
  sender.tls = credentials.collector_tls.get();
  options.sender = std::move(sender);
  if (configuration.spool.empty()) return options;
  shipper::SpoolPlace& place = options.spool.emplace();
  place.fs = &PosixFileSystem();
  place.folder = configuration.spool;
  place.instance = InstanceOf(configuration);
  place.options.limit_bytes = configuration.spool_limit;
  place.options.max_age = configuration.spool_max_age;
  place.sync = configuration.spool_sync;
  return options;
}

SupervisorOptions SupervisorOptionsOf(const Configuration& configuration) {
  SupervisorOptions options;
  options.stop_signal = configuration.stop_signal;
  options.stop_grace = configuration.stop_grace;
  options.stop_mode = configuration.stop_mode;
  options.wait_for_all = configuration.wait_for_all;
  options.signal_rewrites = configuration.signal_rewrites;
  options.exit_remaps = configuration.exit_remaps;
  options.restart = configuration.restart;
  options.pre_start = !configuration.pre_start.empty();
  options.post_stop = !configuration.post_stop.empty();
  options.hook_timeout = configuration.hook_timeout;
  return options;
}

Configuration Completed(Configuration configuration) {
  if (configuration.container.empty()) configuration.container = HostName();
  return configuration;
}

}  // namespace dunlin::agent
