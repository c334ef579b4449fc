#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "protocol/wire/messages.h"
#include "shipper/session.h"
#include "tests/shipper/sealed_batch.h"
#include "tests/support/catch.h"
#include "tests/support/manual_clock.h"

namespace dunlin::shipper {

/// A session with its queue, and the verbs of a collector.
class Line {
 public:
  explicit Line(SessionOptions options = {}, QueueOptions queue_options = {})
      : queue(queue_options), session(queue, options, statistics) {
    CHECK(session.OnConnected(clock.Steady()) == Session::Actions{Session::SendHello{}});
  }

  template <typename Message>
  Session::Actions Receive(wire::FrameType type, const Message& message) {
    payload_ = wire::Encode(message);
    return session.OnFrame({type, payload_}, clock.Steady());
  }
  Session::Actions Welcome(std::uint64_t next_sequence = 1, std::uint32_t window = 0) {
    wire::Welcome welcome;
    welcome.next_sequence = next_sequence;
    welcome.max_unacknowledged_batches = window;
    return Receive(wire::FrameType::kWelcome, welcome);
  }
  Session::Actions Ack(std::uint64_t sequence) {
    return Receive(wire::FrameType::kAck, wire::Ack{sequence});
  }
  void Push(int batches) {
    for (int i = 0; i < batches; ++i) PushBatch(queue, 1);
  }
  /// The sequences that may be sent now.
  std::vector<std::uint64_t> Send() {
    std::vector<std::uint64_t> sent;
    while (auto frame = session.NextBatch(clock.Steady())) {
      sent.push_back(DecodeFrame(*frame).header.sequence);
    }
    return sent;
  }
  Session::Actions Tick() { return session.OnTick(clock.Steady()); }

  testing::ManualClock clock;
  Queue queue;
  SessionStatistics statistics;
  Session session;

 private:
  std::string payload_;
};

/// How the one action ends the connection.
inline Session::Close::Kind ClosedWith(const Session::Actions& actions) {
  REQUIRE(actions.size() == 1);
  REQUIRE(std::holds_alternative<Session::Close>(actions[0]));
  return std::get<Session::Close>(actions[0]).kind;
}

}  // namespace dunlin::shipper
