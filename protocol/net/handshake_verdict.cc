#include "protocol/net/handshake_verdict.h"

#include <limits>

#include "protocol/base/certificate_role.h"
#include "protocol/base/text.h"

namespace dunlin::net {

int HandshakeVerdict::Attach(mbedtls_ssl_context* session) {
  mbedtls_ssl_set_verify(session, OnCertificate, this);
  if (!settings_.is_client) return 0;
  // Of an address, which is no name to announce, OnCertificate takes care.
  return mbedtls_ssl_set_hostname(session, IsAddress(name_) ? nullptr : name_.c_str());
}

void HandshakeVerdict::NoteBytes(std::string_view bytes) {
  // The library keeps the peer's reason to itself. Until the ciphers are on, an alert can be read:
  // type, version (2 bytes), length 2 (2 bytes), level, description (RFC 5246 sections 6.2.1 and
  // 7.2).
  constexpr std::size_t kAlertBytes = 7;
  if (bytes.size() < kAlertBytes) return;
  std::string_view last = bytes.substr(bytes.size() - kAlertBytes);
  if (last[0] != kAlertRecord || last[1] != 3 || last[3] != 0 || last[4] != 2) return;
  alert_ = static_cast<unsigned char>(last[6]);
}

int HandshakeVerdict::OnCertificate(void* self, mbedtls_x509_crt* certificate, int depth,
                                    std::uint32_t* flags) {
  auto* verdict = static_cast<HandshakeVerdict*>(self);
  if (depth == 0) {
    verdict->subject_ = IdentityOf(*certificate).common_name;
    if (verdict->settings_.is_client && IsAddress(verdict->name_) &&
        !HasAddress(*certificate, verdict->name_)) {
      *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    const std::string& role = verdict->settings_.peer_role;
    if (!role.empty() && !HasRole(IdentityOf(*certificate), role)) {
      *flags |= MBEDTLS_X509_BADCERT_OTHER;
    }
  }
  verdict->flags_ |= *flags;
  // Where a certificate is optional, the library would take a bad one for none.
  const bool stop = depth == 0 && verdict->flags_ != 0 && verdict->settings_.client_optional;
  return stop ? MBEDTLS_ERR_X509_FATAL_ERROR : 0;
}

bool HandshakeVerdict::IsGood(const mbedtls_ssl_context* session) {
  // The library looks at a certificate's purpose after it has asked OnCertificate.
  constexpr std::uint32_t kPurpose =
      MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
  const std::uint32_t result = mbedtls_ssl_get_verify_result(session);
  // All ones: no result yet.
  if (result != std::numeric_limits<std::uint32_t>::max()) flags_ |= result & kPurpose;
  return flags_ == 0;
}

TlsFailure HandshakeVerdict::FailureOf(int status) const {
  return flags_ != 0 ? FailureOfFlags(flags_) : FailureOfStatus(status);
}

std::string HandshakeVerdict::CauseOf(TlsFailure failure, int status) const {
  switch (failure) {
    case TlsFailure::kUntrusted:
      return Join("its certificate (", subject_, ") is not signed by our CA");
    case TlsFailure::kExpired:
      return Join("its certificate (", subject_, ") has expired or is not valid yet");
    case TlsFailure::kWrongName:
      return Join("its certificate (", subject_, ") is not for ", name_);
    case TlsFailure::kWrongRole:
      return Join("its certificate (", subject_, ") has no organizational unit \"",
                  settings_.peer_role, "\"");
    case TlsFailure::kUnsuitable:
      return Join("its certificate (", subject_, ") has a key, hash or purpose that does not fit");
    case TlsFailure::kNoCertificate:
      return "it showed no certificate";
    case TlsFailure::kRefused:
      return Join("it refused: ", AlertText(alert_));
    case TlsFailure::kLost:
      return "the connection ended in the handshake";
    case TlsFailure::kNotTls:
    case TlsFailure::kTimeout:
    case TlsFailure::kProtocol:
      return x509::MbedErrorText(status);
  }
  return {};
}

ErrorCode CodeOf(TlsFailure failure) {
  switch (failure) {
    case TlsFailure::kUntrusted:
    case TlsFailure::kExpired:
    case TlsFailure::kWrongName:
    case TlsFailure::kWrongRole:
    case TlsFailure::kUnsuitable:
    case TlsFailure::kNoCertificate:
    case TlsFailure::kRefused:
      return ErrorCode::kPermissionDenied;
    case TlsFailure::kTimeout:
      return ErrorCode::kTimeout;
    case TlsFailure::kLost:
      return ErrorCode::kUnavailable;
    case TlsFailure::kNotTls:
    case TlsFailure::kProtocol:
      return ErrorCode::kCorruption;
  }
  return ErrorCode::kCorruption;
}

}  // namespace dunlin::net
