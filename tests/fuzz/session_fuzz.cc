#include <map>
#include <memory>
#include <string>
#include <variant>

#include "protocol/base/check.h"
#include "protocol/wire/batch.h"
#include "protocol/wire/messages.h"
#include "shipper/session.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/batch_frame.h"

namespace dunlin::shipper {
namespace {

constexpr std::uint32_t kWindow = 4;

/// The driver of an agent's sessions, one after another over one queue, and what it may never see.
class Driver {
 public:
  Driver() : queue_({.limit_bytes = 1000}) { Connect(); }

  void Connect() {
    session_ = std::make_unique<Session>(
        queue_, SessionOptions{.window_batches = kWindow, .max_age = std::chrono::seconds(200)},
        statistics_);
    closed_ = false;
    last_sent_.reset();
    Perform(session_->OnConnected(now_));
  }

  void Push(std::uint8_t lines, std::uint8_t bytes) {
    wire::Columns columns;
    columns.runs.push_back({wire::Output::kStdout, lines, 1});
    for (std::uint8_t i = 0; i < lines; ++i) {
      columns.lines.append(bytes, static_cast<char>('a' + i)).push_back('\n');
      columns.line_lengths.push_back(bytes);
    }
    static wire::BatchEncoder encoder;
    SealedBatch batch;
    wire::BatchHeader header;
    header.sequence = batch.sequence = queue_.next_sequence();
    header.gaps = batch.gaps = queue_.TakeMarks();
    batch.frame = testing::BatchFrame(encoder, header, columns);
    batch.totals[0] = {lines, std::uint64_t{lines} * bytes, lines};
    captured_ += lines;
    queue_.Push(std::move(batch));
    CheckAccounts();
  }

  void Receive(wire::FrameType type, std::string_view payload) {
    // A view kept beyond the call is found.
    std::string own(payload);
    own.shrink_to_fit();
    Perform(session_->OnFrame({type, own}, now_));
  }
  template <typename Message>
  void Receive(wire::FrameType type, const Message& message) {
    Receive(type, std::string_view(wire::Encode(message)));
  }

  void Wait(std::chrono::seconds time) {
    now_ += time;
    Perform(session_->OnTick(now_));
  }
  void Drain() { Perform(session_->Drain()); }

  void Send() {
    while (auto frame = session_->NextBatch(now_)) {
      Check(!closed_, "nothing is sent after a close");
      auto view = wire::DecodeBatch(frame->substr(wire::kFrameHeaderBytes));
      Check(view.has_value(), "what is sent is a batch");
      const std::uint64_t sequence = view->header.sequence;
      Check(!last_sent_ || view->header.first() == *last_sent_ + 1, "batches go in order");
      last_sent_ = sequence;
      auto [sent, first] = sent_.emplace(sequence, *frame);
      Check(first || sent->second == *frame, "what is sent again is the same");
      Check(session_->unanswered() <= kWindow, "no more are on their way than may be");
    }
    CheckAccounts();
  }

 private:
  void Perform(const Session::Actions& actions) {
    for (const Session::Action& action : actions) {
      Check(!closed_, "nothing follows a close");
      if (std::holds_alternative<Session::Close>(action)) closed_ = true;
    }
    CheckAccounts();
  }

  void CheckAccounts() const {
    std::uint64_t dropped = 0;
    for (const auto& reason : queue_.dropped()) dropped += reason.lines;
    Check(captured_ == queue_.acknowledged_lines() + queue_.lines() + dropped,
          "captured is acknowledged, queued or dropped");
  }

  SteadyTime now_{};
  Queue queue_;
  SessionStatistics statistics_;
  std::unique_ptr<Session> session_;
  bool closed_ = false;
  std::uint64_t captured_ = 0;
  std::optional<std::uint64_t> last_sent_;     // on this connection
  std::map<std::uint64_t, std::string> sent_;  // on any
};

}  // namespace
}  // namespace dunlin::shipper

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dunlin;
  FuzzInput input(data, size);
  shipper::Driver driver;
  while (!input.rest().empty()) {
    const std::uint8_t event = input.Byte();
    switch (event % 9) {
      case 0:
        driver.Connect();
        break;
      case 1: {
        const std::uint8_t lines = input.Byte();
        driver.Push(static_cast<std::uint8_t>(lines % 16 + 1), input.Byte());
        break;
      }
      case 2: {
        wire::Welcome welcome;
        welcome.next_sequence = input.Byte();
        welcome.max_unacknowledged_batches = event / 9 % 8;
        driver.Receive(wire::FrameType::kWelcome, welcome);
        break;
      }
      case 3:
        driver.Receive(wire::FrameType::kAck, wire::Ack{input.Byte()});
        break;
      case 4:
        driver.Receive(wire::FrameType::kReject, wire::Reject{input.Byte(), "why"});
        break;
      case 5:
        driver.Send();
        break;
      case 6:
        driver.Wait(std::chrono::seconds(input.Byte()));
        break;
      case 7: {
        const auto type = static_cast<wire::FrameType>(input.Byte() % 10 + 1);
        driver.Receive(type, input.Take(input.Byte()));
        break;
      }
      case 8:
        driver.Drain();
        break;
    }
  }
  return 0;
}
