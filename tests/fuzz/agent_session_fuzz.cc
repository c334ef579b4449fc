#include <deque>
#include <variant>

#include "collector/ingest/agent_session.h"
#include "protocol/base/check.h"
#include "protocol/wire/batch.h"
#include "tests/fuzz/fuzz_input.h"

namespace dunlin::ingest {
namespace {

using namespace std::chrono_literals;

/// The driver of a session as the collector has one, and what it may never see.
class Driver {
 public:
  Driver() : session_(Options(), now_) {}

  void Feed(std::string_view bytes) {
    // A view kept beyond the call is found.
    std::string own(bytes);
    own.shrink_to_fit();
    Perform(session_.OnBytes(own, now_));
  }
  void Wait(std::chrono::seconds time) {
    now_ += time;
    Perform(session_.OnTick(now_));
  }
  /// Whatever the store says of the n-th batch that it has.
  void Finish(std::size_t n, std::uint8_t fate) {
    if (stored_.empty()) return;
    auto batch = stored_.begin() + static_cast<std::ptrdiff_t>(n % stored_.size());
    BatchResult result;
    result.sequence = *batch;
    stored_.erase(batch);
    switch (fate % 8) {
      case 0:
        result.fate = BatchResult::Fate::kRefused;
        result.reason = "no room";
        result.slow_down = fate % 16 == 0;
        break;
      case 1:
        result.fate = BatchResult::Fate::kRejected;
        result.reason = "malformed";
        break;
      default:
        break;
    }
    Perform(session_.OnResults({result}));
  }
  void Replace() { Perform(session_.OnReplaced()); }
  void Stop() { Perform(session_.OnStopping()); }
  void set_next_sequence(std::uint64_t next) { next_sequence_ = next; }

 private:
  static SessionOptions Options() {
    SessionOptions options;
    options.token = "t";
    options.max_unacknowledged_batches = 4;
    return options;
  }

  void Perform(const Actions& actions) {
    for (const Action& action : actions) {
      Check(!closed_, "nothing follows a close");
      if (const auto* send = std::get_if<action::Send>(&action)) {
        OnSend(send->bytes);
      } else if (std::holds_alternative<action::Admit>(action)) {
        Check(!admitted_, "an agent is admitted once");
        admitted_ = true;
        Perform(session_.OnAdmitted(next_sequence_));
      } else if (const auto* store = std::get_if<action::StoreBatch>(&action)) {
        Check(welcomed_, "nothing is stored of a stranger");
        Check(last_stored_ == 0 || store->batch.sequence > last_stored_, "sequences rise");
        Check(store->batch.sequence >= next_sequence_, "what is durable is not stored again");
        last_stored_ = store->batch.sequence;
        stored_.push_back(last_stored_);
      } else if (std::holds_alternative<action::Close>(action)) {
        closed_ = true;
      }
    }
    Check(closed_ == session_.closed(), "a session closes with its connection");
  }

  void OnSend(std::string_view bytes) {
    wire::FrameReader reader;
    reader.Feed(bytes);
    auto frame = reader.Next();
    Check(frame && *frame, "what is sent is one whole frame");
    if ((*frame)->type == wire::FrameType::kWelcome) welcomed_ = true;
    if ((*frame)->type != wire::FrameType::kAck) return;
    const std::uint64_t acknowledged = wire::DecodeAck((*frame)->payload)->sequence;
    Check(acknowledged >= last_acknowledged_, "acknowledgements do not go back");
    for (std::uint64_t waiting : stored_) {
      Check(acknowledged < waiting, "what is not durable is not acknowledged");
    }
    last_acknowledged_ = acknowledged;
  }

  SteadyTime now_{};
  AgentSession session_;
  std::uint64_t next_sequence_ = 1;
  std::deque<std::uint64_t> stored_;  // without a result yet
  std::uint64_t last_stored_ = 0;
  std::uint64_t last_acknowledged_ = 0;
  bool admitted_ = false;
  bool welcomed_ = false;
  bool closed_ = false;
};

std::string GoodHello() {
  wire::Hello hello;
  hello.agent_id.fill(1);
  hello.boot_id.fill(2);
  hello.project = "p";
  hello.service = "s";
  hello.deployment = "d";
  hello.container = "c";
  hello.host = "h";
  hello.token = "t";
  return wire::Encode(hello);
}

std::string FrameOf(wire::FrameType type, std::string_view payload) {
  std::string frame;
  wire::AppendFrame(frame, type, payload);
  return frame;
}

/// Batches of nothing, numbered: what a session decides by.
std::string BatchFrame(std::uint64_t sequence) {
  wire::BatchView batch;
  batch.header.sequence = sequence;
  batch.header.gaps.push_back({});
  batch.header.gaps.back().output = wire::Output::kStdout;
  std::string frame;
  wire::AppendBatchFrame(frame, batch);
  return frame;
}

}  // namespace
}  // namespace dunlin::ingest

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dunlin;
  FuzzInput input(data, size);
  ingest::Driver driver;
  const std::uint8_t mode = input.Byte();
  if (mode % 2 == 0) {
    // The connection as it comes, in pieces.
    const std::size_t step = input.Byte() + std::size_t{1};
    InPieces(input.rest(), step, [&](std::string_view piece) {
      driver.Feed(piece);
      return true;
    });
    return 0;
  }
  // Or events, of which frames with right checksums are some.
  driver.set_next_sequence(1 + mode / 2 % 4);
  driver.Feed(wire::kPreface);
  while (!input.rest().empty()) {
    const std::uint8_t event = input.Byte();
    switch (event % 8) {
      case 0:
        driver.Feed(ingest::FrameOf(wire::FrameType::kHello, ingest::GoodHello()));
        break;
      case 1:
      case 2:
        driver.Feed(ingest::BatchFrame(input.Byte()));
        break;
      case 3:
        driver.Finish(event / 8, input.Byte());
        break;
      case 4:
        driver.Wait(std::chrono::seconds(input.Byte()));
        break;
      case 5: {
        const auto type = static_cast<wire::FrameType>(input.Byte() % 10 + 1);
        driver.Feed(ingest::FrameOf(type, input.Take(input.Byte())));
        break;
      }
      case 6:
        driver.Feed(input.Take(event / 8));
        break;
      case 7:
        if (event / 8 == 0) driver.Replace();
        if (event / 8 == 1) driver.Stop();
        break;
    }
  }
  return 0;
}
