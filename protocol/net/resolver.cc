#include "protocol/net/resolver.h"

#include <ares.h>
#include <sys/time.h>

#include <optional>
#include <unordered_map>

#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/net/handle.h"

namespace dunlin::net {
namespace {

using namespace std::chrono_literals;

// Two rounds over the name servers; a Connector's own timeout usually ends it earlier.
constexpr int kServerTimeoutMilliseconds = 2000;
constexpr int kTries = 2;

/// The one translation of c-ares' status codes.
Error AresError(int status, const std::string& attempt) {
  switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_EBADNAME:
      return Error(ErrorCode::kNotFound, Join(attempt, ": no such host"));
    case ARES_ETIMEOUT:
      return Error(ErrorCode::kTimeout, Join(attempt, ": no name server answers"));
    case ARES_ECONNREFUSED:
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
      return Error(ErrorCode::kUnavailable,
                   Join(attempt, ": no name server can say: ", ares_strerror(status)));
    default:
      return Error(ErrorCode::kUnavailable, Join(attempt, ": ", ares_strerror(status)));
  }
}

}  // namespace

struct Resolver::Impl {
  Impl(Loop& l, const HostPort& name, OnDone callback)
      : loop(l),
        attempt(Join("cannot resolve ", name.host)),
        port(name.port),
        on_done(std::move(callback)),
        retry(l, [this] { Process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }),
        finish(l, [this] { Deliver(); }) {}

  ~Impl() {
    if (channel == nullptr) return;
    closing = true;
    ares_destroy(channel);
    ares_library_cleanup();
  }

  Loop& loop;
  std::string attempt;
  std::uint16_t port;
  OnDone on_done;
  ares_channel channel = nullptr;
  std::unordered_map<ares_socket_t, HandlePtr<uv_poll_t>> sockets;
  Timer retry;   // c-ares' own time-outs
  Timer finish;  // the answer comes on a turn of its own, outside c-ares
  std::optional<Result<std::vector<SocketAddress>>> outcome;
  bool closing = false;

  void Start(const HostPort& name, const Options& options) {
    Check(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS, "cannot initialise c-ares");
    ares_options settings{};
    char lookups[] = "fb";  // the hosts file first; never what nsswitch.conf says
    settings.timeout = kServerTimeoutMilliseconds;
    settings.tries = kTries;
    settings.lookups = lookups;
    settings.sock_state_cb_data = this;
    settings.sock_state_cb = [](void* data, ares_socket_t fd, int readable, int writable) {
      static_cast<Impl*>(data)->Watch(fd, readable != 0, writable != 0);
    };
    int status = ares_init_options(
        &channel, &settings,
        ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS) {
      channel = nullptr;
      ares_library_cleanup();
      return Finish(AresError(status, attempt));
    }
    if (!options.servers.empty()) ares_set_servers_ports_csv(channel, options.servers.c_str());
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(
        channel, name.host.c_str(), nullptr, &hints,
        [](void* data, int result, int /*timeouts*/, ares_addrinfo* found) {
          static_cast<Impl*>(data)->OnAnswer(result, found);
        },
        this);
    ArmRetry();
  }

  void OnAnswer(int status, ares_addrinfo* found) {
    std::vector<SocketAddress> addresses;
    for (auto* node = found != nullptr ? found->nodes : nullptr; node != nullptr;
         node = node->ai_next) {
      if (auto address = SocketAddress::From(node->ai_addr, port)) addresses.push_back(*address);
    }
    if (found != nullptr) ares_freeaddrinfo(found);
    if (closing) return;
    if (!addresses.empty()) return Finish(std::move(addresses));
    Finish(AresError(status == ARES_SUCCESS ? ARES_ENODATA : status, attempt));
  }

  void Finish(Result<std::vector<SocketAddress>> result) {
    outcome = std::move(result);
    finish.Start(0ms);
  }

  void Deliver() {
    retry.Stop();
    auto callback = std::move(on_done);
    auto result = std::move(*outcome);
    callback(std::move(result));
  }

  void Watch(ares_socket_t fd, bool readable, bool writable) {
    if (!readable && !writable) {
      sockets.erase(fd);
      return;
    }
    auto& poll = sockets[fd];
    if (!poll) {
      auto handle = std::make_unique<uv_poll_t>();
      Check(uv_poll_init(loop.raw(), handle.get(), fd) == 0,
            "a resolver's socket cannot be watched");
      poll.reset(handle.release());
      poll->data = this;
    }
    uv_poll_start(poll.get(), (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), OnPoll);
  }

  static void OnPoll(uv_poll_t* poll, int status, int events) {
    auto* impl = static_cast<Impl*>(poll->data);
    if (impl == nullptr) return;
    uv_os_fd_t fd = -1;
    uv_fileno(reinterpret_cast<uv_handle_t*>(poll), &fd);
    if (status < 0) {
      // In error: reading and writing both show it to c-ares.
      uv_poll_start(poll, UV_READABLE, OnPoll);
      events = UV_READABLE | UV_WRITABLE;
    }
    impl->Process((events & UV_READABLE) != 0 ? fd : ARES_SOCKET_BAD,
                  (events & UV_WRITABLE) != 0 ? fd : ARES_SOCKET_BAD);
  }

  void Process(ares_socket_t readable, ares_socket_t writable) {
    ares_process_fd(channel, readable, writable);
    ArmRetry();
  }

  void ArmRetry() {
    if (outcome) return;
    timeval wait{};
    if (ares_timeout(channel, nullptr, &wait) == nullptr) return;
    retry.Start(std::chrono::seconds(wait.tv_sec) + std::chrono::microseconds(wait.tv_usec) + 1ms);
  }
};

Resolver::Resolver(Loop& loop, const HostPort& name, OnDone on_done, const Options& options)
    : impl_(std::make_unique<Impl>(loop, name, std::move(on_done))) {
  impl_->Start(name, options);
}

Resolver::~Resolver() = default;

}  // namespace dunlin::net
