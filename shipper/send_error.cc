#include "shipper/send_error.h"

namespace dunlin::shipper {

std::string_view SendErrorKindName(SendErrorKind kind) {
  switch (kind) {
    case SendErrorKind::kDns:
      return "dns";
    case SendErrorKind::kConnect:
      return "connect";
    case SendErrorKind::kTls:
      return "tls";
    case SendErrorKind::kTimeout:
      return "timeout";
    case SendErrorKind::kReset:
      return "reset";
    case SendErrorKind::kProtocol:
      return "protocol";
    case SendErrorKind::kRefused:
      return "refused";
    case SendErrorKind::kRejected:
      return "rejected";
  }
  return "unknown";
}

SendErrorKind KindOfConnectError(const net::Connector& connector, ErrorCode code) {
  if (connector.tls_failure()) return SendErrorKind::kTls;
  if (code == ErrorCode::kNotFound) return SendErrorKind::kDns;
  if (code == ErrorCode::kTimeout) return SendErrorKind::kTimeout;
  return SendErrorKind::kConnect;
}

}  // namespace dunlin::shipper
