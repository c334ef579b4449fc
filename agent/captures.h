#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "agent/capture.h"
#include "agent/passthrough.h"
#include "agent/recent_lines.h"
#include "agent/standard_outputs.h"
#include "protocol/base/clock.h"
#include "protocol/net/child_process.h"
#include "protocol/net/loop.h"
#include "shipper/shipper.h"

namespace dunlin::agent {

/// The way of what is printed, by the process or its hooks, from their pipes into the shipper, the
/// agent's own outputs and the recent lines. One set of pipes at a time; the lines of the next set
/// continue in the same streams. Loop thread only.
class Captures {
 public:
  struct Totals {
    std::array<std::uint64_t, shipper::kOutputs> bytes{};
    std::uint64_t reads = 0;
    std::uint64_t unread_bytes = 0;
    std::chrono::nanoseconds blocked_time{};
    std::uint64_t passthrough_dropped_bytes = 0;
  };

  /// Everything given outlives this.
  Captures(net::Loop& loop, const Clock& clock, shipper::Shipper& shipper,
           const StandardOutputs& outputs, bool passthrough);
  Captures(const Captures&) = delete;
  Captures& operator=(const Captures&) = delete;

  /// Each chunk as it was read; valid during the call.
  std::function<void(wire::Output, std::string_view)> on_chunk;
  /// The last pipe of the set has come to its end.
  std::function<void()> on_ended;
  /// A passthrough has nothing left to write.
  std::function<void()> on_passthrough_idle;

  /// Reads the outputs of a child; the set before it is closed.
  void Open(net::ChildProcess& child);
  bool all_ended() const;
  void Drain();
  void Resume();
  /// Reads what the pipes hold now, and no more.
  void Close();
  bool passthrough_idle() const;

  /// Something that the agent itself has to say on the process's standard error.
  void AddLine(std::string_view line);

  const RecentLines& recent_lines() const { return recent_lines_; }
  /// Of all sets.
  Totals totals() const;

 private:
  void StartCapture(wire::Output output, net::Descriptor pipe);
  void OnChunk(wire::Output output, std::string_view chunk);
  static void Add(Totals& totals, const Capture& capture);

  net::Loop& loop_;
  const Clock& clock_;
  shipper::Shipper& shipper_;
  std::array<std::unique_ptr<Passthrough>, shipper::kOutputs> passthrough_;
  RecentLines recent_lines_;
  std::vector<std::unique_ptr<Capture>> captures_;
  Totals past_;  // of the sets before
};

}  // namespace dunlin::agent
