#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "protocol/base/result.h"

namespace dunlin::shipper {

/// Why a connection, an attempt at one, or a batch came to nothing:
/// dunlin_agent_send_errors_total{kind}.
enum class SendErrorKind : std::uint8_t {
  kDns,
  kConnect,
  kTimeout,
  kReset,
  kProtocol,
  kRefused,   // the collector does not take this agent
  kRejected,  // it will never store this batch
};
inline constexpr std::array kSendErrorKinds{SendErrorKind::kDns,      SendErrorKind::kConnect,
                                            SendErrorKind::kTimeout,  SendErrorKind::kReset,
                                            SendErrorKind::kProtocol, SendErrorKind::kRefused,
                                            SendErrorKind::kRejected};
std::string_view SendErrorKindName(SendErrorKind kind);

/// Of an attempt that net::Connector gave up.
SendErrorKind KindOfConnectError(ErrorCode code);

}  // namespace dunlin::shipper
