#include "protocol/net/tls_connection.h"

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "protocol/base/give_back.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"
#include "protocol/net/handshake_verdict.h"
#include "protocol/net/tls_library.h"

namespace dunlin::net {
namespace {

using namespace std::chrono_literals;

// How long a peer that we refuse may take to read why.
constexpr std::chrono::milliseconds kAlertLinger = 500ms;

// Past the bound on handshakes, how often a connection asks whether there is a place for it, and
// what it may have sent meanwhile: the first message of a client is far shorter.
constexpr std::chrono::milliseconds kPlaceRetry = 50ms;
constexpr std::size_t kMaxWaitingBytes = 4_KiB;

constexpr std::size_t kReadBytes = 16_KiB;  // the most that a record holds

enum class State {
  kHandshake,
  kOpen,
  kClosing,  // what was written is on its way; what comes is dropped
  kClosed,
};

class TlsConnection final : public Connection {
 public:
  /// `name` is what a server must prove to be; unused at the server's end.
  TlsConnection(Loop& loop, std::unique_ptr<Connection> plain, TlsContext& context,
                std::string name)
      : context_(context),
        settings_(context.Current()),
        plain_(std::move(plain)),
        verdict_(*settings_, std::move(name)),
        peer_(plain_->peer()),
        deadline_(loop, [this] { OnDeadline(); }),
        soon_(loop, [this] { OnSoon(); }) {
    plain_->on_data = [this](std::string_view bytes) { OnBytes(bytes); };
    plain_->on_end = [this] { OnPlainEnd(); };
    plain_->on_close = [this](std::optional<Error> reason) { OnPlainClose(std::move(reason)); };
    plain_->on_drained = [this] { OnPlainDrained(); };
  }

  ~TlsConnection() override { *gone_ = true; }

  /// The client's end: the handshake is over, and the connection paused.
  std::function<void()> on_secured;
  /// Why there was none.
  std::optional<TlsFailure> handshake_failure() const { return handshake_failure_; }

  void StartReading() override {
    if (state_ == State::kClosing || state_ == State::kClosed || text_ended_) return;
    reading_ = true;
    plain_->StartReading();
    if (state_ == State::kOpen && HasInput()) soon_.Start(0ms);
    if (state_ == State::kHandshake && !deadline_.active()) {
      deadline_.Start(context_.handshake_timeout);
      if (settings_->is_client) soon_.Start(0ms);  // it speaks first
    }
  }

  void StopReading() override {
    reading_ = false;
    if (state_ == State::kOpen) plain_->StopReading();
  }

  void Write(std::string bytes) override {
    if (failure_) return;
    if (state_ == State::kHandshake) {
      early_ += bytes;
    } else if (state_ == State::kOpen) {
      Encrypt(bytes);
    }
  }

  std::size_t pending_write_bytes() const override {
    return early_.size() + (plain_ ? plain_->pending_write_bytes() : 0);
  }

  void CloseAfterWrites(std::chrono::milliseconds linger) override {
    if (state_ == State::kClosing || state_ == State::kClosed) return;
    if (state_ == State::kOpen && !failure_) {
      mbedtls_ssl_close_notify(session_->get());
      SendOutput();
    }
    BeginClosing(linger);
  }

  const std::string& peer() const override { return peer_; }
  const PeerIdentity* identity() const override { return identity_ ? &*identity_ : nullptr; }

 private:
  /// Runs the callback in `slot`, which may destroy this, and puts it back unless it was replaced.
  /// Whether this is still there.
  template <typename Callback, typename... Args>
  bool Call(Callback& slot, Args&&... args) {
    auto gone = gone_;
    Callback callback = std::move(slot);
    slot = nullptr;
    if (callback) callback(std::forward<Args>(args)...);
    if (*gone) return false;
    if (!slot) slot = std::move(callback);
    return true;
  }

  void OnBytes(std::string_view bytes) {
    if (state_ == State::kHandshake) {
      // Somebody who speaks HTTP, say, costs no TLS session.
      if (!session_ && held_.empty() && bytes.front() != kHandshakeRecord &&
          bytes.front() != kAlertRecord) {
        return Fail(TlsFailure::kNotTls, "it does not speak TLS");
      }
      verdict_.NoteBytes(bytes);
    }
    fresh_ = bytes;
    Process();
  }

  void OnPlainEnd() {
    plain_ended_ = true;
    Process();
  }

  void OnSoon() {
    if (failure_) return BeginClosing(0ms);
    Process();
  }

  /// Takes what has arrived as far as it is wanted, and keeps the rest. This may be gone
  /// afterwards.
  void Process() {
    auto gone = gone_;
    Advance();
    if (*gone) return;
    std::string_view rest = std::exchange(fresh_, {});
    if (state_ != State::kHandshake && state_ != State::kOpen) return;
    held_ += rest;
    if (waiting_ && held_.size() > kMaxWaitingBytes) {
      return Fail(TlsFailure::kProtocol, "more than a greeting before an answer");
    }
    if (state_ == State::kOpen && reading_ && HasInput()) soon_.Start(0ms);
  }

  bool HasInput() const {
    return plain_ended_ || !held_.empty() || mbedtls_ssl_get_bytes_avail(session_->get()) > 0;
  }

  void Advance() {
    if (state_ == State::kHandshake && !Shake()) return;
    while (state_ == State::kOpen && reading_) {
      std::array<unsigned char, kReadBytes> text;
      int got = mbedtls_ssl_read(session_->get(), text.data(), text.size());
      if (got == MBEDTLS_ERR_SSL_WANT_READ) return;
      if (got <= 0) return OnReadEnd(got);
      std::string_view bytes(reinterpret_cast<const char*>(text.data()),
                             static_cast<std::size_t>(got));
      if (!Call(on_data, bytes)) return;
    }
  }

  void OnReadEnd(int status) {
    SendOutput();
    reading_ = false;
    text_ended_ = true;
    if (status == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
      plain_->StopReading();  // nothing that counts may follow
      if (!on_end) return Finish(std::nullopt);
      auto callback = std::move(on_end);
      return callback();
    }
    // RFC 5246 section 7.2.1: an end without the peer's word may be somebody else's doing.
    const bool cut = status == MBEDTLS_ERR_SSL_CONN_EOF || status == 0;
    failure_ = cut ? Error(ErrorCode::kUnavailable, Join("connection to ", peer_, " was cut off"))
                   : Error(ErrorCode::kCorruption,
                           Join("connection to ", peer_, " broke: ", x509::MbedErrorText(status)));
    BeginClosing(kAlertLinger);
  }

  /// Whether the handshake is over and there may be data.
  bool Shake() {
    if (!session_) {
      if (plain_ended_) {
        Fail(TlsFailure::kLost, "the connection ended before its handshake");
        return false;
      }
      if (!TakePlace() || !SetUp()) return false;
    }
    int status = mbedtls_ssl_handshake(session_->get());
    SendOutput();
    if (status == MBEDTLS_ERR_SSL_WANT_READ) return false;
    if (!verdict_.IsGood(session_->get()) || status != 0) {
      FailShake(status);
      return false;
    }
    state_ = State::kOpen;
    deadline_.Stop();
    place_.reset();
    if (const auto* certificate = mbedtls_ssl_get_peer_cert(session_->get())) {
      identity_ = IdentityOf(*certificate);
    }
    if (!early_.empty()) Encrypt(std::exchange(early_, {}));
    if (!on_secured) return true;
    StopReading();
    auto callback = std::move(on_secured);
    callback();
    return false;
  }

  bool TakePlace() {
    place_ = context_.places.Take(std::chrono::steady_clock::now(), [this] {
      session_.reset();  // the memory, for whom the place is
      Fail(TlsFailure::kTimeout, "its handshake kept others waiting");
    });
    if (!place_) {
      // What it sends stays with the kernel.
      waiting_ = true;
      plain_->StopReading();
      soon_.Start(kPlaceRetry);
    } else if (std::exchange(waiting_, false)) {
      plain_->StartReading();
    }
    return place_ != nullptr;
  }

  bool SetUp() {
    session_ = std::make_unique<MbedSession>();
    int status = mbedtls_ssl_setup(session_->get(), settings_->config.get());
    if (status == 0) status = verdict_.Attach(session_->get());
    if (status != 0) {
      Fail(TlsFailure::kProtocol, x509::MbedErrorText(status));
      return false;
    }
    mbedtls_ssl_set_bio(session_->get(), this, SendTo, ReceiveFrom, nullptr);
    return true;
  }

  static int SendTo(void* self, const unsigned char* bytes, std::size_t size) {
    static_cast<TlsConnection*>(self)->output_.append(reinterpret_cast<const char*>(bytes), size);
    return static_cast<int>(size);
  }

  static int ReceiveFrom(void* self, unsigned char* out, std::size_t size) {
    auto* connection = static_cast<TlsConnection*>(self);
    std::string& held = connection->held_;
    std::string_view& fresh = connection->fresh_;
    if (held.empty() && fresh.empty()) {
      return connection->plain_ended_ ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
    }
    if (held.empty()) {
      size = fresh.copy(reinterpret_cast<char*>(out), size);
      fresh.remove_prefix(size);
    } else {
      size = held.copy(reinterpret_cast<char*>(out), size, connection->held_used_);
      connection->held_used_ += size;
      if (connection->held_used_ == held.size()) {
        GiveBack(held);
        connection->held_used_ = 0;
      }
    }
    return static_cast<int>(size);
  }

  void FailShake(int status) {
    const TlsFailure failure = verdict_.FailureOf(status);
    // Of these two the library does not tell the peer (RFC 5246 section 7.4.6).
    if (status == 0 || failure == TlsFailure::kNoCertificate) {
      mbedtls_ssl_send_alert_message(session_->get(), MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                     MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
      SendOutput();
    }
    Fail(failure, verdict_.CauseOf(failure, status));
  }

  void Fail(TlsFailure failure, std::string_view cause) {
    context_.Count(failure);
    handshake_failure_ = failure;
    place_.reset();
    deadline_.Stop();
    failure_ = Error(CodeOf(failure), Join("no TLS with ", peer_, ": ", cause));
    BeginClosing(kAlertLinger);
  }

  void OnDeadline() {
    Fail(TlsFailure::kTimeout,
         Join("no handshake within ", FormatDuration(context_.handshake_timeout)));
  }

  void Encrypt(std::string_view bytes) {
    written_ = true;
    while (!bytes.empty()) {
      int sent = mbedtls_ssl_write(
          session_->get(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
      if (sent <= 0) {
        failure_ =
            Error(ErrorCode::kIo, Join("cannot send to ", peer_, ": ", x509::MbedErrorText(sent)));
        soon_.Start(0ms);  // callbacks never run within Write
        return;
      }
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    SendOutput();
  }

  void SendOutput() {
    if (!output_.empty()) plain_->Write(std::exchange(output_, {}));
  }

  void OnPlainDrained() {
    if (state_ == State::kOpen && std::exchange(written_, false)) Call(on_drained);
  }

  void BeginClosing(std::chrono::milliseconds linger) {
    state_ = State::kClosing;
    deadline_.Stop();
    early_.clear();
    plain_->CloseAfterWrites(linger);
  }

  void OnPlainClose(std::optional<Error> reason) {
    if (state_ == State::kHandshake) {
      context_.Count(TlsFailure::kLost);
      handshake_failure_ = TlsFailure::kLost;
      failure_ = Error(ErrorCode::kUnavailable,
                       Join("no TLS with ", peer_, ": ",
                            reason ? reason->message() : "the connection ended in the handshake"));
    }
    Finish(failure_ ? std::move(failure_) : std::move(reason));
  }

  void Finish(std::optional<Error> reason) {
    state_ = State::kClosed;
    deadline_.Stop();
    soon_.Stop();
    early_.clear();
    plain_.reset();
    session_.reset();
    place_.reset();
    auto callback = std::move(on_close);
    if (callback) callback(std::move(reason));
  }

  TlsContext& context_;
  std::shared_ptr<const TlsSettings> settings_;  // the library points into it
  std::unique_ptr<Connection> plain_;            // gone once closed
  std::unique_ptr<MbedSession> session_;         // from the first byte on
  HandshakeVerdict verdict_;
  std::string peer_;
  HandshakePlaces::PlacePtr place_;  // while the handshake holds memory
  Timer deadline_;                   // of the handshake
  Timer soon_;                       // continues outside of the caller's call
  State state_ = State::kHandshake;
  bool reading_ = false;
  bool waiting_ = false;      // for a place
  bool plain_ended_ = false;  // the peer sends no more bytes
  bool text_ended_ = false;   // and has said so, or broken off
  bool written_ = false;      // since the queue was last empty
  std::string early_;         // written before the handshake was over
  std::string output_;        // of the library, on its way to plain_
  std::string_view fresh_;    // what has just arrived, while it is processed
  std::string held_;          // what arrived and was not wanted yet
  std::size_t held_used_ = 0;
  std::optional<PeerIdentity> identity_;
  std::optional<Error> failure_;  // until on_close reports it
  std::optional<TlsFailure> handshake_failure_;
  // Shared with the calls on the stack, which this may not outlive.
  std::shared_ptr<bool> gone_ = std::make_shared<bool>(false);
};

class TlsClientHandshake final : public TlsHandshake {
 public:
  TlsClientHandshake(Loop& loop, std::unique_ptr<Connection> plain, TlsContext& context,
                     std::string name, OnDone on_done)
      : on_done_(std::move(on_done)),
        connection_(
            std::make_unique<TlsConnection>(loop, std::move(plain), context, std::move(name))) {
    connection_->on_secured = [this] {
      connection_->on_close = nullptr;
      auto callback = std::move(on_done_);
      callback(std::unique_ptr<Connection>(std::move(connection_)));
    };
    connection_->on_close = [this](std::optional<Error> reason) {
      auto callback = std::move(on_done_);
      callback(std::move(*reason));
    };
    connection_->StartReading();
  }

  std::optional<TlsFailure> failure() const override {
    return connection_ ? connection_->handshake_failure() : std::nullopt;
  }

 private:
  OnDone on_done_;
  std::unique_ptr<TlsConnection> connection_;
};

}  // namespace

std::unique_ptr<Connection> AcceptTls(Loop& loop, std::unique_ptr<Connection> plain,
                                      TlsContext& context) {
  return std::make_unique<TlsConnection>(loop, std::move(plain), context, std::string());
}

std::unique_ptr<TlsHandshake> TlsHandshake::Start(Loop& loop, std::unique_ptr<Connection> plain,
                                                  TlsContext& context, std::string name,
                                                  OnDone on_done) {
  return std::make_unique<TlsClientHandshake>(loop, std::move(plain), context, std::move(name),
                                              std::move(on_done));
}

}  // namespace dunlin::net
