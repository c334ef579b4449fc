#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "protocol/base/clock.h"
#include "protocol/base/file_system.h"
#include "protocol/net/loop.h"
#include "protocol/net/worker_pool.h"
#include "shipper/queue.h"
#include "shipper/sender.h"
#include "shipper/spool/spool_folder.h"
#include "shipper/spool_tier.h"

namespace dunlin::shipper {

/// Where an agent's spool lies.
struct SpoolPlace {
  FileSystem* fs = nullptr;  // outlives all that use it
  std::string folder;        // shared with other agents
  std::string instance;      // this one's part of it
  SpoolOptions options;
  SpoolSync sync = SpoolSync::kInterval;
  SpoolTiming timing;
};

/// The spool that is being delivered.
struct AdoptedSpool {
  std::string name;         // instance/boot
  std::uint64_t lines = 0;  // still to be acknowledged
  bool connected = false;
  std::string last_error;  // why its lines do not move; empty: they do
};

/// Of all adopted spools so far.
struct AdoptionStatistics {
  std::uint64_t spools = 0;  // adopted
  std::uint64_t finished_spools = 0;
  std::uint64_t acknowledged_lines = 0;
  std::uint64_t dropped_lines = 0;  // damaged, or rejected by the collector
  std::uint64_t spooled_lines = 0;  // of the one at hand, still to be acknowledged

  std::optional<AdoptedSpool> current{};
  /// What the latest search found besides.
  std::uint64_t waiting_spools = 0;   // until the one at hand is done
  std::uint64_t unusable_spools = 0;  // that nobody can read, of a newer program, and the like
  std::string problem{};              // of the last of those, or of the folder itself
  /// Of this instance, locked by other agents that run or deliver them.
  std::uint64_t held_spools = 0;
};

/// Delivers what processes that are gone have left on disk, this agent's own earlier ones and
/// others': one spool after another, each over a connection of its own that gives the old agent's
/// name, so that the collector knows what it has already. Little is under way at a time: what is
/// new comes first. The age is the one given here, and what it drops is marked in the old agent's
/// stream; but nothing is dropped before a collector has said what it has, because the old agent
/// may have sent it. The limit is for what a process writes: a spool that is adopted kept to its
/// own agent's, does not grow, and loses nothing to this one's. Lines adopted are not among those
/// that this process captured. Loop thread only.
class SpoolAdopter {
 public:
  /// Everything given outlives the adopter. `sender`: collectors and time-outs; the hello is the
  /// old agent's, but for the token.
  SpoolAdopter(net::Loop& loop, const Clock& clock, net::WorkerPool& worker, SpoolPlace place,
               SenderOptions sender);
  ~SpoolAdopter();
  SpoolAdopter(const SpoolAdopter&) = delete;
  SpoolAdopter& operator=(const SpoolAdopter&) = delete;

  /// Looks for spools nobody holds, now and every minute (SpoolTiming::look_interval).
  void Start();

  AdoptionStatistics statistics() const;

 private:
  struct Adopted;
  struct Search;

  void Look();
  void OnFound(std::shared_ptr<Search> search);
  void OnWelcomed();
  void CheckDone();
  void Done();

  net::Loop& loop_;
  const Clock& clock_;
  net::WorkerPool& worker_;
  SpoolPlace place_;
  SenderOptions sender_options_;
  net::Timer look_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<Adopted> adopted_;
  AdoptionStatistics finished_;
  bool looking_ = false;
};

}  // namespace dunlin::shipper
