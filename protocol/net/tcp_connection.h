#pragma once

#include <memory>

#include "protocol/net/connection.h"
#include "protocol/net/handle.h"

/// For this folder only.
namespace dunlin::net {

/// Wraps a connected socket.
std::unique_ptr<Connection> MakeTcpConnection(Loop& loop, HandlePtr<uv_tcp_t> socket);

/// A socket on `loop` that is not yet open.
HandlePtr<uv_tcp_t> MakeTcpSocket(Loop& loop);

}  // namespace dunlin::net
