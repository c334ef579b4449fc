#include "protocol/x509/mbed_certificate.h"

#include "protocol/base/random.h"
#include "protocol/base/text.h"

namespace dunlin::x509 {
namespace {

// The library wants PEM with its terminating null byte counted.
const unsigned char* PemBytes(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.c_str());
}
std::size_t PemSize(const std::string& text) { return text.size() + 1; }

}  // namespace

std::chrono::sys_seconds TimeOf(const mbedtls_x509_time& time) {
  using namespace std::chrono;
  const sys_days day = year(time.year) / month(static_cast<unsigned>(time.mon)) /
                       std::chrono::day(static_cast<unsigned>(time.day));
  return day + hours(time.hour) + minutes(time.min) + seconds(time.sec);
}

int MbedRandom(void*, unsigned char* out, std::size_t size) {
  FillRandom(out, size);
  return 0;
}

std::string MbedErrorText(int status) {
  // Codes are negative and at most 16 bits.
  const auto code = static_cast<unsigned>(-status);
  const char bytes[] = {static_cast<char>(code >> 8), static_cast<char>(code)};
  std::string text = "mbedTLS error -0x";
  AppendHex(text, std::string_view(bytes, sizeof bytes));
  return text;
}

Error MbedError(int status, std::string_view attempt) {
  const bool memory =
      status == MBEDTLS_ERR_X509_ALLOC_FAILED || status == MBEDTLS_ERR_PK_ALLOC_FAILED;
  return Error(memory ? ErrorCode::kExhausted : ErrorCode::kInvalidArgument,
               Join(attempt, ": ", MbedErrorText(status)));
}

Result<void> ParseCertificates(const std::string& pem, MbedCertificates& into) {
  const int status = mbedtls_x509_crt_parse(into.get(), PemBytes(pem), PemSize(pem));
  if (status > 0) {
    return Error(ErrorCode::kInvalidArgument, Join(status, " of its certificates cannot be read"));
  }
  if (status < 0) return MbedError(status, "no certificate in PEM");
  return {};
}

Result<void> ParseKey(const std::string& pem, MbedKey& into) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  const int status = mbedtls_pk_parse_key(into.get(), PemBytes(pem), PemSize(pem), nullptr, 0,
                                          MbedRandom, nullptr);
#else
  const int status = mbedtls_pk_parse_key(into.get(), PemBytes(pem), PemSize(pem), nullptr, 0);
#endif
  if (status != 0) return MbedError(status, "no private key in PEM");
  if (!mbedtls_pk_can_do(into.get(), MBEDTLS_PK_ECDSA)) {
    return Error(ErrorCode::kInvalidArgument,
                 "its key is not an elliptic curve key (P-256 or P-384)");
  }
  return {};
}

bool IsPair(MbedCertificates& certificate, MbedKey& key) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  return mbedtls_pk_check_pair(&certificate->pk, key.get(), MbedRandom, nullptr) == 0;
#else
  return mbedtls_pk_check_pair(&certificate->pk, key.get()) == 0;
#endif
}

}  // namespace dunlin::x509
