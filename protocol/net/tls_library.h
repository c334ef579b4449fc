#pragma once

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include <cstdint>
#include <string>

#include "protocol/base/peer_identity.h"
#include "protocol/net/tls_context.h"

/// For this folder only: mbedTLS 2.28 and 3.x under one roof.
namespace dunlin::net {

/// One object of the library, initialised and freed.
template <typename T, void (*Init)(T*), void (*Free)(T*)>
class MbedObject {
 public:
  MbedObject() { Init(&raw_); }
  ~MbedObject() { Free(&raw_); }
  MbedObject(const MbedObject&) = delete;
  MbedObject& operator=(const MbedObject&) = delete;

  T* get() { return &raw_; }
  const T* get() const { return &raw_; }
  T* operator->() { return &raw_; }
  const T* operator->() const { return &raw_; }

 private:
  T raw_;
};

using MbedCertificates = MbedObject<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free>;
using MbedKey = MbedObject<mbedtls_pk_context, mbedtls_pk_init, mbedtls_pk_free>;
using MbedConfig = MbedObject<mbedtls_ssl_config, mbedtls_ssl_config_init, mbedtls_ssl_config_free>;
using MbedSession = MbedObject<mbedtls_ssl_context, mbedtls_ssl_init, mbedtls_ssl_free>;

/// The library's source of randomness: the kernel's, without a generator of its own in between.
int MbedRandom(void* unused, unsigned char* out, std::size_t size);

/// What connections are set up with; constant once made.
class TlsSettings {
 public:
  MbedConfig config;
  MbedCertificates ca;
  MbedCertificates chain;
  MbedKey key;
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

/// "mbedTLS error -0x7780".
std::string MbedErrorText(int status);

}  // namespace dunlin::net
