#include "controller/certificates/authority.h"

#include <mbedtls/bignum.h>
#include <mbedtls/ecp.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <utility>

#include "controller/certificates/extensions.h"
#include "protocol/base/random.h"
#include "protocol/base/text.h"
#include "protocol/x509/mbed_certificate.h"

namespace dunlin::certificates {
namespace {

using x509::IsPair;
using x509::MbedCertificates;
using x509::MbedError;
using x509::MbedKey;
using x509::MbedObject;
using x509::MbedRandom;
using x509::ParseCertificates;
using x509::ParseKey;
using MbedWriter =
    MbedObject<mbedtls_x509write_cert, mbedtls_x509write_crt_init, mbedtls_x509write_crt_free>;

/// Of a certificate with 200 names; a key has some 230.
constexpr std::size_t kMaxPemBytes = 96 * 1024;

// RFC 5280, appendix A.1: ub-common-name, ub-organizational-unit-name.
constexpr std::size_t kMaxSubjectBytes = 64;

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

/// YYYYMMDDhhmmss, as the library takes it.
Result<std::string> TimeText(std::chrono::sys_seconds time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  const int year = static_cast<int>(date.year());
  if (year < 1970 || year > 9999) return Invalid("a time outside of the years 1970 to 9999");
  std::string text;
  auto append = [&text](std::int64_t number, std::size_t digits) {
    std::string decimal;
    AppendInteger(decimal, number);
    text.append(digits - decimal.size(), '0').append(decimal);
  };
  append(year, 4);
  append(static_cast<unsigned>(date.month()), 2);
  append(static_cast<unsigned>(date.day()), 2);
  append(clock.hours().count(), 2);
  append(clock.minutes().count(), 2);
  append(clock.seconds().count(), 2);
  return text;
}

/// A part of a subject. The library has a notation of its own for those, so what means something in
/// it stays out.
Result<void> CheckSubjectText(std::string_view text) {
  const bool good = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(" ._-:@").find(c) != std::string_view::npos;
  });
  if (good && !text.empty() && text.size() <= kMaxSubjectBytes && text.front() != ' ' &&
      text.back() != ' ') {
    return {};
  }
  return Invalid(Join("\"", text, "\" cannot be the subject of a certificate: give up to ",
                      kMaxSubjectBytes, " letters, digits, spaces and . _ - : @"));
}

Result<void> GenerateKey(MbedKey& into) {
  int status = mbedtls_pk_setup(into.get(), mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
  if (status == 0) {
    status = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*into.get()), MbedRandom,
                                 nullptr);
  }
  if (status != 0) return MbedError(status, "cannot make a key");
  return {};
}

Result<std::string> PemOf(MbedKey& key) {
  std::array<unsigned char, 4096> text;
  const int status = mbedtls_pk_write_key_pem(key.get(), text.data(), text.size());
  if (status != 0) return MbedError(status, "cannot write a key");
  std::string pem(reinterpret_cast<const char*>(text.data()));
  explicit_bzero(text.data(), text.size());
  return pem;
}

/// One certificate being written. The first error stays, and ends it.
class Writing {
 public:
  Writing(mbedtls_pk_context* holder, mbedtls_pk_context* signer) {
    mbedtls_x509write_crt_set_version(writer_.get(), MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(writer_.get(), MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(writer_.get(), holder);
    mbedtls_x509write_crt_set_issuer_key(writer_.get(), signer);
  }

  void SetNames(const std::string& subject, const std::string& issuer) {
    Note(mbedtls_x509write_crt_set_subject_name(writer_.get(), subject.c_str()));
    Note(mbedtls_x509write_crt_set_issuer_name(writer_.get(), issuer.c_str()));
  }

  void SetValidity(const std::string& from, const std::string& until) {
    Note(mbedtls_x509write_crt_set_validity(writer_.get(), from.c_str(), until.c_str()));
  }

  /// RFC 5280 section 4.1.2.2: positive, unique, at most 20 bytes. 126 random bits behind a bit
  /// that is set, so that its length does not depend on chance.
  void SetRandomSerial() {
    std::array<unsigned char, 16> serial;
    FillRandom(serial.data(), serial.size());
    serial[0] = static_cast<unsigned char>((serial[0] & 0x3f) | 0x40);
#if MBEDTLS_VERSION_NUMBER >= 0x03040000
    Note(mbedtls_x509write_crt_set_serial_raw(writer_.get(), serial.data(), serial.size()));
#else
    MbedObject<mbedtls_mpi, mbedtls_mpi_init, mbedtls_mpi_free> number;
    Note(mbedtls_mpi_read_binary(number.get(), serial.data(), serial.size()));
    Note(mbedtls_x509write_crt_set_serial(writer_.get(), number.get()));
#endif
  }

  void SetAuthority(bool is_authority) {
    // An authority signs holders, and no further authorities.
    Note(mbedtls_x509write_crt_set_basic_constraints(writer_.get(), is_authority ? 1 : 0,
                                                     /*max_pathlen=*/0));
    Note(mbedtls_x509write_crt_set_key_usage(
        writer_.get(), is_authority ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
                                    : MBEDTLS_X509_KU_DIGITAL_SIGNATURE));
  }

  /// An empty value is none.
  void AddExtension(const char* oid, std::size_t oid_size, const std::string& value) {
    if (value.empty()) return;
    Note(mbedtls_x509write_crt_set_extension(writer_.get(), oid, oid_size, /*critical=*/0,
                                             reinterpret_cast<const unsigned char*>(value.data()),
                                             value.size()));
  }

  Result<std::string> Pem() {
    std::string text(kMaxPemBytes, '\0');
    if (status_ == 0) {
      Note(mbedtls_x509write_crt_pem(writer_.get(), reinterpret_cast<unsigned char*>(text.data()),
                                     text.size(), MbedRandom, nullptr));
    }
    if (status_ != 0) return MbedError(status_, "cannot write a certificate");
    text.resize(strlen(text.c_str()));
    return text;
  }

 private:
  void Note(int status) {
    if (status_ == 0) status_ = status;
  }

  MbedWriter writer_;
  int status_ = 0;
};

}  // namespace

struct Authority::Impl {
  Pair pem;
  Content content;
  MbedCertificates certificate;
  MbedKey key;

  ~Impl() { explicit_bzero(pem.key.data(), pem.key.size()); }

  std::string subject() const { return Join("CN=", content.common_name); }

  /// Signs `content` for the holder of `holder`; itself, when that is its own key.
  Result<std::string> Sign(const Content& of, MbedKey& holder) {
    const bool is_self = &holder == &key;
    auto checked = CheckSubjectText(of.common_name);
    if (checked && !of.role.empty()) checked = CheckSubjectText(of.role);
    if (!checked) return std::move(checked).error();
    auto from = TimeText(of.validity.not_before);
    if (!from) return std::move(from).error();
    auto until = TimeText(of.validity.not_after);
    if (!until) return std::move(until).error();
    auto names = SubjectAlternativeNames(of);
    if (!names) return std::move(names).error();

    Writing writing(holder.get(), key.get());
    writing.SetNames(Join("CN=", of.common_name, of.role.empty() ? "" : ",OU=", of.role),
                     subject());
    writing.SetValidity(*from, *until);
    writing.SetRandomSerial();
    writing.SetAuthority(is_self);
    writing.AddExtension(MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER,
                         MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER),
                         SubjectKeyIdentifier(KeyIdentifierOf(*holder.get())));
    writing.AddExtension(MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER,
                         MBEDTLS_OID_SIZE(MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER),
                         AuthorityKeyIdentifier(KeyIdentifierOf(*key.get())));
    writing.AddExtension(MBEDTLS_OID_SUBJECT_ALT_NAME,
                         MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), *names);
    writing.AddExtension(MBEDTLS_OID_EXTENDED_KEY_USAGE,
                         MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), ExtendedKeyUsage(of));
    return writing.Pem();
  }
};

Authority::Authority(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Authority::~Authority() = default;
Authority::Authority(Authority&& other) noexcept = default;
Authority& Authority::operator=(Authority&& other) noexcept = default;

const Pair& Authority::pem() const { return impl_->pem; }
const Content& Authority::content() const { return impl_->content; }

Result<Authority> Authority::Create(std::string_view name, Validity validity) {
  Impl made;
  made.content.common_name = name;
  made.content.validity = validity;
  if (auto generated = GenerateKey(made.key); !generated) return std::move(generated).error();
  auto certificate = made.Sign(made.content, made.key);
  if (!certificate) return std::move(certificate).error();
  auto key = PemOf(made.key);
  if (!key) return std::move(key).error();
  return Load({*std::move(certificate), *std::move(key)});
}

Result<Authority> Authority::Load(Pair pem) {
  auto loaded = std::make_unique<Impl>();
  loaded->pem = std::move(pem);
  if (auto parsed = ParseCertificates(loaded->pem.certificate, loaded->certificate); !parsed) {
    return std::move(parsed).error();
  }
  if (mbedtls_x509_crt_check_key_usage(loaded->certificate.get(), MBEDTLS_X509_KU_KEY_CERT_SIGN) !=
      0) {
    return Invalid("the certificate is not one of an authority");
  }
  if (auto parsed = ParseKey(loaded->pem.key, loaded->key); !parsed) {
    return std::move(parsed).error();
  }
  if (!IsPair(loaded->certificate, loaded->key)) {
    return Invalid("the key is not the one of the certificate");
  }
  auto content = ReadCertificate(loaded->pem.certificate);
  if (!content) return std::move(content).error();
  loaded->content = *std::move(content);
  return Authority(std::move(loaded));
}

Result<Pair> Authority::Issue(const Content& content, std::string key_pem) const {
  MbedKey key;
  auto ready = key_pem.empty() ? GenerateKey(key) : ParseKey(key_pem, key);
  if (!ready) return std::move(ready).error();
  auto certificate = impl_->Sign(content, key);
  if (!certificate) return std::move(certificate).error();
  if (!HasSigned(*certificate)) {
    return Error(ErrorCode::kUnsupported,
                 "what this authority signs is not recognised as its own: it was made by another "
                 "program, with a name or a key that cannot be used here");
  }
  if (key_pem.empty()) {
    auto pem = PemOf(key);
    if (!pem) return std::move(pem).error();
    key_pem = *std::move(pem);
  }
  return Pair{*std::move(certificate), std::move(key_pem)};
}

Result<Authority> Authority::Renew(Validity validity) const {
  Content content = impl_->content;
  content.validity = validity;
  auto certificate = impl_->Sign(content, impl_->key);
  if (!certificate) return std::move(certificate).error();
  return Load({*std::move(certificate), impl_->pem.key});
}

bool Authority::HasSigned(std::string_view certificate_pem) const {
  MbedCertificates certificate;
  if (!ParseCertificates(std::string(certificate_pem), certificate)) return false;
  std::uint32_t flags = 0;
  // The result says no more than the flags do.
  (void)mbedtls_x509_crt_verify(certificate.get(), impl_->certificate.get(), nullptr, nullptr,
                                &flags, nullptr, nullptr);
  constexpr std::uint32_t kTimes = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;
  return (flags & ~kTimes) == 0;
}

}  // namespace dunlin::certificates
