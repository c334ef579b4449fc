#include "protocol/net/tls_library.h"

#include <netinet/in.h>

#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "protocol/base/text.h"
#include "protocol/net/socket_address.h"

namespace dunlin::net {
namespace {

using x509::BytesOf;

std::optional<SocketAddress> AddressOf(std::string_view bytes) {
  SocketAddress address;
  if (bytes.size() == 4) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    v4->sin_family = AF_INET;
    std::memcpy(&v4->sin_addr, bytes.data(), 4);
  } else if (bytes.size() == 16) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    v6->sin6_family = AF_INET6;
    std::memcpy(&v6->sin6_addr, bytes.data(), 16);
  } else {
    return std::nullopt;
  }
  return address;
}

/// The text of an address, or an empty one for what is none.
std::string AddressText(std::string_view bytes) {
  auto address = AddressOf(bytes);
  return address ? address->ToHostPort().host : std::string();
}

}  // namespace

PeerIdentity IdentityOf(const mbedtls_x509_crt& certificate) {
  PeerIdentity identity;
  for (const auto* part = &certificate.subject; part != nullptr; part = part->next) {
    std::string_view kind = BytesOf(part->oid);
    if (kind == x509::kCommonName) identity.common_name = BytesOf(part->val);
    if (kind == x509::kOrganizationalUnit) {
      identity.organizational_units.emplace_back(BytesOf(part->val));
    }
  }
  for (const auto* name = &certificate.subject_alt_names; name != nullptr; name = name->next) {
    if (name->buf.tag == x509::kDnsName) identity.names.emplace_back(BytesOf(name->buf));
    if (name->buf.tag == x509::kIpAddress)
      identity.names.push_back(AddressText(BytesOf(name->buf)));
    if (name->buf.tag == x509::kUri) identity.uris.emplace_back(BytesOf(name->buf));
  }
  return identity;
}

bool IsAddress(const std::string& host) { return SocketAddress::FromLiteral(host, 0).has_value(); }

bool HasAddress(const mbedtls_x509_crt& certificate, const std::string& literal) {
  auto wanted = SocketAddress::FromLiteral(literal, 0);
  if (!wanted) return false;
  const std::string text = wanted->ToHostPort().host;
  for (const auto* name = &certificate.subject_alt_names; name != nullptr; name = name->next) {
    if (name->buf.tag == x509::kIpAddress && AddressText(BytesOf(name->buf)) == text) return true;
  }
  return false;
}

TlsFailure FailureOfFlags(std::uint32_t flags) {
  if (flags & MBEDTLS_X509_BADCERT_MISSING) return TlsFailure::kNoCertificate;
  if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) return TlsFailure::kUntrusted;
  if (flags & (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)) {
    return TlsFailure::kExpired;
  }
  if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) return TlsFailure::kWrongName;
  if (flags & MBEDTLS_X509_BADCERT_OTHER) return TlsFailure::kWrongRole;
  return TlsFailure::kUnsuitable;
}

TlsFailure FailureOfStatus(int status) {
  switch (status) {
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
      return TlsFailure::kNoCertificate;
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
      return TlsFailure::kRefused;
    case MBEDTLS_ERR_SSL_CONN_EOF:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
      return TlsFailure::kLost;
    default:
      return TlsFailure::kProtocol;
  }
}

std::string AlertText(int alert) {
  static constexpr std::pair<int, std::string_view> kNames[] = {
      {MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE, "handshake failure"},
      {MBEDTLS_SSL_ALERT_MSG_NO_CERT, "no certificate"},
      {MBEDTLS_SSL_ALERT_MSG_BAD_CERT, "bad certificate"},
      {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT, "unsupported certificate"},
      {MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED, "certificate revoked"},
      {MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED, "certificate expired"},
      {MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN, "certificate unknown"},
      {MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA, "unknown CA"},
      {MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED, "access denied"},
      {MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION, "protocol version"}};
  for (auto [code, name] : kNames) {
    if (code == alert) return std::string(name);
  }
  return Join("alert ", alert);
}

}  // namespace dunlin::net
