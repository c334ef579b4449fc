#include "controller/certificates/mbed_objects.h"

#include <string.h>

#include "protocol/base/random.h"
#include "protocol/base/text.h"

namespace dunlin::certificates {

int MbedRandom(void*, unsigned char* out, std::size_t size) {
  FillRandom(out, size);
  return 0;
}

Error MbedError(int status, std::string_view attempt) {
  // Codes are negative and at most 16 bits.
  const auto code = static_cast<unsigned>(-status);
  const char bytes[] = {static_cast<char>(code >> 8), static_cast<char>(code)};
  std::string text = Join(attempt, ": mbedTLS error -0x");
  AppendHex(text, std::string_view(bytes, sizeof bytes));
  const bool memory =
      status == MBEDTLS_ERR_X509_ALLOC_FAILED || status == MBEDTLS_ERR_PK_ALLOC_FAILED;
  return Error(memory ? ErrorCode::kExhausted : ErrorCode::kInvalidArgument, std::move(text));
}

Result<void> ParseCertificate(std::string_view pem, MbedCertificate& into) {
  // The library wants PEM with its terminating null byte counted.
  const std::string text(pem);
  const int status = mbedtls_x509_crt_parse(
      into.get(), reinterpret_cast<const unsigned char*>(text.c_str()), text.size() + 1);
  if (status > 0) {
    return Error(ErrorCode::kInvalidArgument, Join(status, " of the certificates cannot be read"));
  }
  if (status < 0) return MbedError(status, "no certificate in PEM");
  return {};
}

Result<void> ParseKey(std::string_view pem, MbedKey& into) {
  std::string text(pem);
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.c_str());
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  const int status =
      mbedtls_pk_parse_key(into.get(), bytes, text.size() + 1, nullptr, 0, MbedRandom, nullptr);
#else
  const int status = mbedtls_pk_parse_key(into.get(), bytes, text.size() + 1, nullptr, 0);
#endif
  explicit_bzero(text.data(), text.size());
  if (status != 0) return MbedError(status, "no private key in PEM");
  if (!mbedtls_pk_can_do(into.get(), MBEDTLS_PK_ECDSA)) {
    return Error(ErrorCode::kInvalidArgument, "not an elliptic curve key");
  }
  return {};
}

bool IsPair(MbedCertificate& certificate, MbedKey& key) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  return mbedtls_pk_check_pair(&certificate->pk, key.get(), MbedRandom, nullptr) == 0;
#else
  return mbedtls_pk_check_pair(&certificate->pk, key.get()) == 0;
#endif
}

}  // namespace dunlin::certificates
