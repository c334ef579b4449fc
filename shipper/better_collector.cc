#include "shipper/better_collector.h"

#include <optional>
#include <utility>

#include "protocol/base/text.h"
#include "shipper/opening.h"

namespace dunlin::shipper {

BetterCollector::BetterCollector(net::Loop& loop, Options options)
    : loop_(loop), options_(std::move(options)), timer_(loop, [this] {
        if (connection_) {
          Fail(SendErrorKind::kTimeout, "no welcome from the collector");
        } else {
          Try();
        }
      }) {}

BetterCollector::~BetterCollector() = default;

void BetterCollector::Search(std::size_t count, std::chrono::milliseconds delay,
                             std::function<wire::Hello()> hello) {
  Stop();
  if (count == 0) return;
  count_ = count;
  collector_ = 0;
  hello_ = std::move(hello);
  timer_.Start(delay);
}

void BetterCollector::Stop() {
  timer_.Stop();
  connector_.reset();
  connection_.reset();
}

void BetterCollector::Try() {
  connector_ = net::Connector::Connect(
      loop_, options_.collectors[collector_], options_.connect_timeout,
      [this](Result<std::unique_ptr<net::Connection>> result) { OnConnectDone(std::move(result)); },
      options_.tls);
}

void BetterCollector::OnConnectDone(Result<std::unique_ptr<net::Connection>> result) {
  if (!result) {
    const Error& error = result.error();
    return Fail(KindOfConnectError(*connector_, error.code()), error.message());
  }
  connection_ = std::move(*result);
  reader_ = wire::FrameReader(kMaxCollectorFrameBytes);
  connection_->on_data = [this](std::string_view bytes) { OnData(bytes); };
  connection_->on_close = [this](std::optional<Error> error) {
    Fail(SendErrorKind::kReset,
         error ? error->message() : std::string("the collector closed the connection"));
  };
  timer_.Start(options_.welcome_timeout);
  connection_->StartReading();
  connection_->Write(Opening(hello_()));
}

void BetterCollector::OnData(std::string_view bytes) {
  reader_.Feed(bytes);
  auto frame = reader_.Next();
  if (!frame) return Fail(SendErrorKind::kProtocol, frame.error().message());
  if (!*frame) return;
  if ((*frame)->type == wire::FrameType::kWelcome) return OnWelcome((*frame)->payload);
  auto goodbye = (*frame)->type == wire::FrameType::kGoodbye
                     ? wire::DecodeGoodbye((*frame)->payload)
                     : Result<wire::Goodbye>(
                           Error(ErrorCode::kCorruption, "the collector spoke before its welcome"));
  if (!goodbye) return Fail(SendErrorKind::kProtocol, goodbye.error().message());
  Fail(goodbye->retry ? SendErrorKind::kReset : SendErrorKind::kRefused, goodbye->reason);
}

void BetterCollector::OnWelcome(std::string_view payload) {
  auto welcome = wire::DecodeWelcome(payload);
  if (!welcome) return Fail(SendErrorKind::kProtocol, welcome.error().message());
  if (welcome->protocol_version != wire::kProtocolVersion) {
    return Fail(SendErrorKind::kRefused,
                Join("the collector wants protocol version ", welcome->protocol_version));
  }
  // What it says of batches counts when they are sent to it, on a connection of its own.
  Stop();
  on_found(collector_);
}

void BetterCollector::Fail(SendErrorKind kind, const std::string& reason) {
  const std::size_t failed = collector_;
  const std::string why = reason;  // its owner may go with the connection
  Stop();
  if (++collector_ < count_) Try();
  on_failed(failed, kind, why);
  if (collector_ == count_) on_none();
}

}  // namespace dunlin::shipper
