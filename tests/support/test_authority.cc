#include "tests/support/test_authority.h"

#include <arpa/inet.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include <array>
#include <cstdint>

#include "protocol/base/check.h"
#include "protocol/base/random.h"

namespace dunlin::testing {
namespace {

constexpr std::size_t kPemBytes = 4096;

int Random(void*, unsigned char* out, std::size_t size) {
  FillRandom(out, size);
  return 0;
}

struct Key {
  Key() {
    mbedtls_pk_init(&pk);
    Check(mbedtls_pk_setup(&pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0, "key setup");
    Check(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(pk), Random, nullptr) == 0,
          "key generation");
  }
  ~Key() { mbedtls_pk_free(&pk); }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;

  std::string Pem() {
    std::array<unsigned char, kPemBytes> text;
    Check(mbedtls_pk_write_key_pem(&pk, text.data(), text.size()) == 0, "key in PEM");
    return reinterpret_cast<const char*>(text.data());
  }

  mbedtls_pk_context pk;
};

/// DER (X.690): tag, length, content; all of it short here.
std::string Der(int tag, const std::string& content) {
  Check(content.size() < 128, "a long DER value");
  return std::string{static_cast<char>(tag), static_cast<char>(content.size())} + content;
}

struct Writer {
  Writer() { mbedtls_x509write_crt_init(&crt); }
  ~Writer() { mbedtls_x509write_crt_free(&crt); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void Extension(const char* oid, std::size_t oid_size, const std::string& value) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(value.data());
    int status = mbedtls_x509write_crt_set_extension(&crt, oid, oid_size, /*critical=*/0, bytes,
                                                     value.size());
    Check(status == 0, "extension");
  }

  void Serial(std::uint8_t number) {
#if MBEDTLS_VERSION_NUMBER >= 0x03040000
    Check(mbedtls_x509write_crt_set_serial_raw(&crt, &number, 1) == 0, "serial");
#else
    mbedtls_mpi serial;
    mbedtls_mpi_init(&serial);
    Check(mbedtls_mpi_lset(&serial, number) == 0, "serial");
    Check(mbedtls_x509write_crt_set_serial(&crt, &serial) == 0, "serial");
    mbedtls_mpi_free(&serial);
#endif
  }

  void Validity(const std::string& from, const std::string& until) {
    Check(mbedtls_x509write_crt_set_validity(&crt, from.c_str(), until.c_str()) == 0, "validity");
  }

  std::string Pem() {
    std::array<unsigned char, kPemBytes> text;
    Check(mbedtls_x509write_crt_pem(&crt, text.data(), text.size(), Random, nullptr) == 0,
          "certificate in PEM");
    return reinterpret_cast<const char*>(text.data());
  }

  mbedtls_x509write_cert crt;
};

}  // namespace

struct TestAuthority::Impl {
  std::string subject;
  Key key;
  std::uint8_t serial = 1;
};

TestAuthority::TestAuthority(const std::string& name) : impl_(std::make_unique<Impl>()) {
  impl_->subject = "CN=" + name;
  Writer writer;
  mbedtls_x509write_crt_set_version(&writer.crt, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(&writer.crt, MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(&writer.crt, &impl_->key.pk);
  mbedtls_x509write_crt_set_issuer_key(&writer.crt, &impl_->key.pk);
  Check(mbedtls_x509write_crt_set_subject_name(&writer.crt, impl_->subject.c_str()) == 0, "name");
  Check(mbedtls_x509write_crt_set_issuer_name(&writer.crt, impl_->subject.c_str()) == 0, "name");
  writer.Serial(impl_->serial++);
  writer.Validity("20200101000000", "20991231235959");
  Check(mbedtls_x509write_crt_set_basic_constraints(&writer.crt, 1, -1) == 0, "constraints");
  certificate_ = writer.Pem();
}

TestAuthority::~TestAuthority() = default;

IssuedCertificate TestAuthority::Issue(const CertificateRequest& request) {
  Key key;
  Writer writer;
  mbedtls_x509write_crt_set_version(&writer.crt, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(&writer.crt, MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(&writer.crt, &key.pk);
  mbedtls_x509write_crt_set_issuer_key(&writer.crt, &impl_->key.pk);
  std::string subject = "CN=" + request.common_name;
  for (const std::string& unit : request.organizational_units) subject += ",OU=" + unit;
  Check(mbedtls_x509write_crt_set_subject_name(&writer.crt, subject.c_str()) == 0, "name");
  Check(mbedtls_x509write_crt_set_issuer_name(&writer.crt, impl_->subject.c_str()) == 0, "name");
  writer.Serial(impl_->serial++);
  writer.Validity(request.not_before, request.not_after);
  Check(mbedtls_x509write_crt_set_basic_constraints(&writer.crt, 0, -1) == 0, "constraints");

  // RFC 5280 section 4.2.1.6: GeneralNames, [2] for names, [6] for URIs, [7] for addresses.
  constexpr int kSequence = 0x30;
  std::string names;
  for (const std::string& name : request.dns_names) names += Der(0x82, name);
  for (const std::string& uri : request.uris) names += Der(0x86, uri);
  for (const std::string& address : request.ip_addresses) {
    in_addr bytes;
    Check(inet_pton(AF_INET, address.c_str(), &bytes) == 1, "address");
    names += Der(0x87, std::string(reinterpret_cast<const char*>(&bytes), sizeof bytes));
  }
  if (!names.empty()) {
    writer.Extension(MBEDTLS_OID_SUBJECT_ALT_NAME, MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME),
                     Der(kSequence, names));
  }
  if (request.only_for_servers) {
    const std::string purpose(MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH));
    writer.Extension(MBEDTLS_OID_EXTENDED_KEY_USAGE,
                     MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE),
                     Der(kSequence, Der(MBEDTLS_ASN1_OID, purpose)));
  }
  return {writer.Pem(), key.Pem()};
}

}  // namespace dunlin::testing
