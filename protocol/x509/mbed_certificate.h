#pragma once

#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

/// Certificates and keys as mbedTLS 2.28 and 3 (from 3.2 on) hold them: for protocol/net and
/// controller/certificates only, which show nothing of the library to others.
namespace dunlin::x509 {

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

/// A chain of certificates; the first one, where one is meant.
using MbedCertificates = MbedObject<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free>;
using MbedKey = MbedObject<mbedtls_pk_context, mbedtls_pk_init, mbedtls_pk_free>;

// RFC 5280 section 4.2.1.6: tags of the kinds of GeneralName.
inline constexpr int kDnsName = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2;
inline constexpr int kUri = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 6;
inline constexpr int kIpAddress = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7;

// X.520: 2.5.4.3 and 2.5.4.11, as they stand in a subject.
inline constexpr std::string_view kCommonName = "\x55\x04\x03";
inline constexpr std::string_view kOrganizationalUnit = "\x55\x04\x0b";

/// Valid as long as the certificate.
inline std::string_view BytesOf(const mbedtls_asn1_buf& buffer) {
  return {reinterpret_cast<const char*>(buffer.p), buffer.len};
}

std::chrono::sys_seconds TimeOf(const mbedtls_x509_time& time);

/// The library's source of randomness: the kernel's, without a generator of its own in between.
int MbedRandom(void* unused, unsigned char* out, std::size_t size);

/// "mbedTLS error -0x7780".
std::string MbedErrorText(int status);

/// The one translation of the library's status codes apart from handshakes: "cannot X: mbedTLS
/// error -0x2180"; kExhausted for want of memory, else kInvalidArgument.
Error MbedError(int status, std::string_view attempt);

/// Reads PEM into an object that is empty. A key is one of an elliptic curve. Errors: as MbedError.
Result<void> ParseCertificates(const std::string& pem, MbedCertificates& into);
Result<void> ParseKey(const std::string& pem, MbedKey& into);

/// Whether the key is the one of the (first) certificate.
bool IsPair(MbedCertificates& certificate, MbedKey& key);

}  // namespace dunlin::x509
