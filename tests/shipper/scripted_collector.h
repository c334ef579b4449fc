#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/net/connection.h"
#include "protocol/net/loop.h"
#include "protocol/wire/batch.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/messages.h"

namespace dunlin::testing {

/// The collector's end of the protocol on a loopback port, doing what a test tells it to. By
/// default it welcomes, keeps every new batch and acknowledges it. What is kept survives
/// connections, as a disk would. Loop thread only.
class ScriptedCollector {
 public:
  /// A whole batch frame as it arrived, and when asked for, its lines.
  struct Batch {
    std::uint64_t sequence;
    std::string payload;
    std::uint64_t first_sequence = sequence;  // of a gap batch: of all that it stands for
  };
  struct Entry {
    wire::Output output;
    std::string line;
    std::int64_t time_ns;
    wire::Mark mark;
  };

  explicit ScriptedCollector(net::Loop& loop, net::HostPort address = {"127.0.0.1", 0});
  ~ScriptedCollector();

  net::HostPort address() const { return address_; }
  /// Closes the port (connections stay) and opens the same one again.
  void CloseListener();
  void OpenListener();

  /// Of the listener when it is opened next; outlives the collector. Null: plain TCP.
  net::TlsContext* tls = nullptr;

  // The script; changes apply to what happens next.
  bool welcome = true;
  bool read = true;                            // of new connections
  bool keep = true;                            // batches become durable
  bool acknowledge = true;                     // what is durable is acknowledged at once
  bool decode = true;                          // keep entries; off for measurements
  std::optional<std::uint64_t> next_sequence;  // said in the welcome, instead of the truth
  std::uint32_t max_unacknowledged_batches = 0;
  std::uint32_t max_frame_bytes = 0;
  /// After each welcome.
  std::function<void()> on_welcomed;
  /// Looks at a batch first; true: it is dealt with.
  std::function<bool(const Batch&)> on_batch;

  /// To every agent that has said Hello.
  void Send(wire::FrameType type, const std::string& payload);
  void SendBytes(std::string bytes);
  void Acknowledge();
  /// Says that this batch, the last one to arrive or of one sequence alone, will never be stored,
  /// and expects the one after it.
  void Refuse(std::uint64_t sequence);
  /// Ends every connection at once.
  void Cut();
  /// No more is read from present connections, until Cut.
  void StopReading();

  // What happened.
  std::uint64_t received_bytes = 0;
  std::vector<wire::Hello> hellos;
  std::vector<wire::Metrics> metrics;
  std::vector<Batch> arrivals;  // repetitions included, as long as decode is on
  std::vector<Entry> entries;   // of durable batches
  std::vector<wire::Gap> gaps;
  /// Of the boot that said Hello last.
  std::uint64_t durable() const { return hellos.empty() ? 0 : durable_.at(hellos.back().boot_id); }
  std::uint64_t durable_lines() const { return durable_lines_; }
  std::size_t connections() const { return peers_.size(); }
  bool failed() const { return failed_; }  // something arrived that is not the protocol

  /// Lines of one output joined as the process wrote them.
  std::string Text(wire::Output output) const;

 private:
  struct Peer;

  void Accept(std::unique_ptr<net::Connection> connection);
  void OnData(Peer& peer, std::string_view bytes);
  void OnFrame(Peer& peer, const wire::Frame& frame);
  static void Answer(Peer& peer, wire::FrameType type, const std::string& payload);
  void OnBatch(Peer& peer, std::string_view payload);
  void Reap();

  net::Loop& loop_;
  net::HostPort address_;
  std::unique_ptr<net::Listener> listener_;
  std::list<std::unique_ptr<Peer>> peers_;
  std::list<std::unique_ptr<Peer>> gone_;
  net::Timer reap_timer_;
  wire::BatchDecoder decoder_;
  std::map<RandomId, std::uint64_t> durable_;  // by boot, up to which sequence
  std::uint64_t* last_durable_ = nullptr;      // of the boot whose batch came last
  std::uint64_t durable_lines_ = 0;
  bool failed_ = false;
};

}  // namespace dunlin::testing
