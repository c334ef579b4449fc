#include "protocol/net/connection.h"

#include <vector>

#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"
#include "protocol/net/socket_address.h"
#include "protocol/net/tcp_connection.h"

namespace dunlin::net {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kCoalesceBytes = 16_KiB;  // small writes are copied together up to this
constexpr unsigned kKeepAliveSeconds = 60;      // a peer that vanished is noticed minutes later

// A peer that answers and closes at once makes our next write fail before its answer is read; so
// long the rest of what it sent is waited for.
constexpr auto kReadAfterFailedWrite = 500ms;

struct WriteRequest {
  uv_write_t request;
  std::vector<std::string> buffers;
};

enum class State { kOpen, kClosing, kClosed };

class TcpConnection final : public Connection {
 public:
  TcpConnection(Loop& loop, HandlePtr<uv_tcp_t> socket)
      : loop_(loop), socket_(std::move(socket)), deadline_(loop, [this] { OnDeadline(); }) {
    socket_->data = this;
    uv_tcp_nodelay(socket_.get(), 1);
    uv_tcp_keepalive(socket_.get(), 1, kKeepAliveSeconds);
    SocketAddress address;
    int size = sizeof address.storage;
    if (uv_tcp_getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&address.storage), &size) ==
        0) {
      peer_ = address.ToHostPort().ToString();
    }
  }

  void StartReading() override {
    if (state_ == State::kOpen) Read();
  }

  void StopReading() override {
    if (state_ != State::kOpen) return;  // closing reads on, to drop what comes
    reading_ = false;
    uv_read_stop(stream());
  }

  void Write(std::string bytes) override {
    if (state_ != State::kOpen || failure_ || bytes.empty()) return;
    queued_bytes_ += bytes.size();
    if (!queue_.empty() && queue_.back().size() + bytes.size() <= kCoalesceBytes) {
      queue_.back() += bytes;
    } else {
      queue_.push_back(std::move(bytes));
    }
    // The first write of a turn goes out at once; what follows it in the turn goes out together.
    if (!writing_) StartWrite();
  }

  std::size_t pending_write_bytes() const override {
    if (!socket_) return 0;
    return queued_bytes_ + (writing_ ? socket_->write_queue_size : 0);
  }

  void CloseAfterWrites(std::chrono::milliseconds linger) override {
    if (state_ != State::kOpen) return;
    state_ = State::kClosing;
    bool done = peer_ended_ && !writing_;
    deadline_.Start(done || failure_ ? 0ms : linger);
    if (failure_ || done) return;
    if (!peer_ended_) Read();
    if (!writing_) ShutDown();
  }

  const std::string& peer() const override { return peer_; }
  const PeerIdentity* identity() const override { return nullptr; }

 private:
  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(socket_.get()); }

  static TcpConnection* Owner(const void* handle_data) {
    return static_cast<TcpConnection*>(const_cast<void*>(handle_data));
  }

  void Read() {
    if (peer_ended_ || reading_) return;
    reading_ = true;
    uv_read_start(
        stream(),
        [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
          auto* connection = Owner(handle->data);
          if (connection == nullptr) {
            *buffer = uv_buf_init(nullptr, 0);
            return;
          }
          auto room = connection->loop_.read_buffer();
          *buffer = uv_buf_init(room.data(), static_cast<unsigned>(room.size()));
        },
        [](uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
          auto* connection = Owner(stream->data);
          if (connection == nullptr || size == 0) return;
          if (size > 0) {
            connection->OnBytes({buffer->base, static_cast<std::size_t>(size)});
          } else {
            connection->OnReadEnd(static_cast<int>(size));
          }
        });
  }

  void OnBytes(std::string_view bytes) {
    if (state_ == State::kOpen) CallStored(socket_.get(), on_data, bytes);
  }

  void OnReadEnd(int status) {
    reading_ = false;
    peer_ended_ = true;
    uv_read_stop(stream());
    if (failure_) return Finish(std::move(failure_));
    if (status != UV_EOF) return Finish(UvError(status, Join("connection to ", peer_, " lost")));
    if (state_ == State::kClosing) {
      if (!writing_) Finish(std::nullopt);
      return;
    }
    if (!on_end) return Finish(std::nullopt);
    auto callback = std::move(on_end);
    callback();
  }

  void StartWrite() {
    auto* write = new WriteRequest{{}, std::move(queue_)};
    queue_.clear();
    queued_bytes_ = 0;
    std::vector<uv_buf_t> views;
    views.reserve(write->buffers.size());
    for (std::string& buffer : write->buffers) {
      views.push_back(uv_buf_init(buffer.data(), static_cast<unsigned>(buffer.size())));
    }
    write->request.data = write;
    writing_ = true;
    int status = uv_write(&write->request, stream(), views.data(),
                          static_cast<unsigned>(views.size()), [](uv_write_t* request, int result) {
                            auto* connection = Owner(request->handle->data);
                            delete static_cast<WriteRequest*>(request->data);
                            if (connection != nullptr) connection->OnWritten(result);
                          });
    if (status == 0) return;
    delete write;
    writing_ = false;
    failure_ = UvError(status, Join("cannot send to ", peer_));
    deadline_.Start(0ms);  // callbacks never run within Write
  }

  void OnWritten(int status) {
    writing_ = false;
    if (status < 0) return OnWriteFailed(status);
    if (!queue_.empty()) return StartWrite();
    if (!CallStored(socket_.get(), on_drained)) return;
    if (state_ == State::kClosing && !writing_) ShutDown();
  }

  void OnWriteFailed(int status) {
    queue_.clear();
    queued_bytes_ = 0;
    failure_ = UvError(status, Join("cannot send to ", peer_));
    if (!reading_) return Finish(std::move(failure_));
    deadline_.Start(kReadAfterFailedWrite);
  }

  void ShutDown() {
    if (shut_down_) return;
    shut_down_ = true;
    auto* request = new uv_shutdown_t;
    int status = uv_shutdown(request, stream(), [](uv_shutdown_t* done, int result) {
      auto* connection = Owner(done->handle->data);
      delete done;
      if (connection != nullptr) connection->OnShutDown(result);
    });
    if (status == 0) return;
    delete request;
    deadline_.Start(0ms);
  }

  // All is sent; what is left is the peer's own end, unless that came first.
  void OnShutDown(int status) {
    if (peer_ended_ || status < 0) Finish(std::nullopt);
  }

  void OnDeadline() {
    if (failure_) return Finish(std::move(failure_));
    if (pending_write_bytes() == 0) return Finish(std::nullopt);
    Finish(Error(ErrorCode::kTimeout, Join("connection to ", peer_, " closed with ",
                                           pending_write_bytes(), " bytes it did not take")));
  }

  void Finish(std::optional<Error> reason) {
    state_ = State::kClosed;
    deadline_.Stop();
    socket_.reset();
    queue_.clear();
    queued_bytes_ = 0;
    auto callback = std::move(on_close);
    if (callback) callback(std::move(reason));
  }

  Loop& loop_;
  HandlePtr<uv_tcp_t> socket_;  // gone once closed
  Timer deadline_;              // of closing, or of the reads after a failed write
  std::string peer_;
  State state_ = State::kOpen;
  bool reading_ = false;
  bool peer_ended_ = false;
  bool writing_ = false;  // a request is in flight; more waits in queue_
  bool shut_down_ = false;
  std::vector<std::string> queue_;
  std::size_t queued_bytes_ = 0;
  std::optional<Error> failure_;  // of a write, until on_close reports it
};

}  // namespace

HandlePtr<uv_tcp_t> MakeTcpSocket(Loop& loop) {
  auto socket = std::make_unique<uv_tcp_t>();
  Check(uv_tcp_init(loop.raw(), socket.get()) == 0, "cannot make a socket handle");
  socket->data = nullptr;
  return HandlePtr<uv_tcp_t>(socket.release());
}

std::unique_ptr<Connection> MakeTcpConnection(Loop& loop, HandlePtr<uv_tcp_t> socket) {
  return std::make_unique<TcpConnection>(loop, std::move(socket));
}

}  // namespace dunlin::net
