#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/net/connection.h"

namespace dunlin::shipper {

/// Why a connection, an attempt at one, or a batch came to nothing:
/// dunlin_agent_send_errors_total{kind}.
enum class SendErrorKind : std::uint8_t {
  kDns,
  kConnect,
  kTls,  // the handshake, whatever was wrong with it
  kTimeout,
  kReset,
  kProtocol,
  kRefused,   // the collector does not take this agent
  kRejected,  // it will never store this batch
};
inline constexpr std::array kSendErrorKinds{SendErrorKind::kDns,     SendErrorKind::kConnect,
                                            SendErrorKind::kTls,     SendErrorKind::kTimeout,
                                            SendErrorKind::kReset,   SendErrorKind::kProtocol,
                                            SendErrorKind::kRefused, SendErrorKind::kRejected};
std::string_view SendErrorKindName(SendErrorKind kind);

/// Of an attempt that `connector` gave up for `code`; while its callback runs.
SendErrorKind KindOfConnectError(const net::Connector& connector, ErrorCode code);

}  // namespace dunlin::shipper
