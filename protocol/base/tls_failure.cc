#include "protocol/base/tls_failure.h"

namespace dunlin {

std::string_view TlsFailureName(TlsFailure failure) {
  switch (failure) {
    case TlsFailure::kUntrusted:
      return "untrusted";
    case TlsFailure::kExpired:
      return "expired";
    case TlsFailure::kWrongName:
      return "wrong_name";
    case TlsFailure::kWrongRole:
      return "wrong_role";
    case TlsFailure::kUnsuitable:
      return "unsuitable";
    case TlsFailure::kNoCertificate:
      return "no_certificate";
    case TlsFailure::kRefused:
      return "refused";
    case TlsFailure::kNotTls:
      return "not_tls";
    case TlsFailure::kTimeout:
      return "timeout";
    case TlsFailure::kLost:
      return "lost";
    case TlsFailure::kProtocol:
      return "protocol";
  }
  return "unknown";
}

std::optional<TlsFailure> ParseTlsFailure(std::string_view name) {
  for (std::size_t i = 0; i < kTlsFailures; ++i) {
    const auto failure = static_cast<TlsFailure>(i);
    if (TlsFailureName(failure) == name) return failure;
  }
  return std::nullopt;
}

}  // namespace dunlin
