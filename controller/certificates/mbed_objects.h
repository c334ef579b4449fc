#pragma once

#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include <string>
#include <string_view>

#include "protocol/base/result.h"

/// For this folder only: mbedTLS 2.28 and 3.x.
namespace dunlin::certificates {

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

using MbedCertificate = MbedObject<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free>;
using MbedKey = MbedObject<mbedtls_pk_context, mbedtls_pk_init, mbedtls_pk_free>;
using MbedWriter =
    MbedObject<mbedtls_x509write_cert, mbedtls_x509write_crt_init, mbedtls_x509write_crt_free>;

/// Randomness of the kernel.
int MbedRandom(void* unused, unsigned char* out, std::size_t size);

/// The one translation of the library's status codes: "cannot X: mbedTLS error -0x2180".
Error MbedError(int status, std::string_view attempt);

/// Errors: kInvalidArgument.
Result<void> ParseCertificate(std::string_view pem, MbedCertificate& into);
Result<void> ParseKey(std::string_view pem, MbedKey& into);

bool IsPair(MbedCertificate& certificate, MbedKey& key);

}  // namespace dunlin::certificates
