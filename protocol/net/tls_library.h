#pragma once

#include <mbedtls/ssl.h>

#include <cstdint>
#include <string>

#include "protocol/base/peer_identity.h"
#include "protocol/net/tls_context.h"
#include "protocol/x509/mbed_certificate.h"

/// For this folder only: mbedTLS 2.28 and 3 (from 3.2 on) under one roof.
namespace dunlin::net {

// RFC 5246 appendix A.1: content types of records.
inline constexpr char kAlertRecord = 21;
inline constexpr char kHandshakeRecord = 22;

using MbedConfig =
    x509::MbedObject<mbedtls_ssl_config, mbedtls_ssl_config_init, mbedtls_ssl_config_free>;
using MbedSession = x509::MbedObject<mbedtls_ssl_context, mbedtls_ssl_init, mbedtls_ssl_free>;

/// What connections are set up with; constant once made.
class TlsSettings {
 public:
  MbedConfig config;
  x509::MbedCertificates ca;
  x509::MbedCertificates chain;
  x509::MbedKey key;
  bool is_client = false;
  bool client_optional = false;
  std::string peer_role;  // needed in the peer's certificate; empty: none
};

/// The text that people and roles go by.
PeerIdentity IdentityOf(const mbedtls_x509_crt& certificate);

/// Whether `host` is an IP literal, not a name.
bool IsAddress(const std::string& host);

/// Whether an IP literal is among the certificate's addresses. (The library compares names itself,
/// addresses from 3.5 on only.)
bool HasAddress(const mbedtls_x509_crt& certificate, const std::string& literal);

/// What the verification of a certificate found (MBEDTLS_X509_BADCERT_*), the worst first.
/// OTHER stands for a role that is missing.
TlsFailure FailureOfFlags(std::uint32_t flags);

/// The one translation of the library's status codes: what failed in a handshake, apart from the
/// peer's certificate.
TlsFailure FailureOfStatus(int status);

/// For people: the peer's reason in its alert (RFC 5246 section 7.2), the number where it has no
/// name here.
std::string AlertText(int alert);

}  // namespace dunlin::net
