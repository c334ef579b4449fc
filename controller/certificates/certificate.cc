#include "controller/certificates/certificate.h"

#include <arpa/inet.h>
#include <mbedtls/oid.h>

#include <array>

#include "controller/certificates/mbed_objects.h"
#include "protocol/base/text.h"

namespace dunlin::certificates {
namespace {

// RFC 5280 section 4.2.1.6: choices of GeneralName.
constexpr int kDnsName = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2;
constexpr int kUri = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 6;
constexpr int kIpAddress = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7;

// X.520: 2.5.4.3 and 2.5.4.11.
constexpr std::string_view kCommonName = "\x55\x04\x03";
constexpr std::string_view kOrganizationalUnit = "\x55\x04\x0b";

std::string_view BytesOf(const mbedtls_asn1_buf& buffer) {
  return {reinterpret_cast<const char*>(buffer.p), buffer.len};
}

Error Unsupported(std::string_view what) {
  return Error(ErrorCode::kUnsupported,
               Join("the certificate has ", what, ", which is not written here"));
}

std::chrono::sys_seconds TimeOf(const mbedtls_x509_time& time) {
  using namespace std::chrono;
  const sys_days day = year(time.year) / month(static_cast<unsigned>(time.mon)) /
                       std::chrono::day(static_cast<unsigned>(time.day));
  return day + hours(time.hour) + minutes(time.min) + seconds(time.sec);
}

Result<void> ReadSubject(const mbedtls_x509_crt& certificate, Content& into) {
  for (const auto* part = &certificate.subject; part != nullptr; part = part->next) {
    const std::string_view kind = BytesOf(part->oid);
    std::string& text = kind == kCommonName ? into.common_name : into.role;
    if (kind != kCommonName && kind != kOrganizationalUnit) {
      return Unsupported("more in its subject than CN and OU");
    }
    if (!text.empty()) return Unsupported("several CN or OU in its subject");
    text = BytesOf(part->val);
  }
  return {};
}

Result<void> ReadNames(const mbedtls_x509_crt& certificate, Content& into) {
  for (const auto* name = &certificate.subject_alt_names; name != nullptr; name = name->next) {
    if (name->buf.p == nullptr) continue;  // there are none
    const std::string_view bytes = BytesOf(name->buf);
    std::array<char, INET6_ADDRSTRLEN> literal;
    switch (name->buf.tag) {
      case kDnsName:
        into.dns_names.emplace_back(bytes);
        break;
      case kUri:
        into.uris.emplace_back(bytes);
        break;
      case kIpAddress:
        if (bytes.size() != 4 && bytes.size() != 16) return Unsupported("a malformed address");
        inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), literal.data(),
                  static_cast<socklen_t>(literal.size()));
        into.ip_addresses.emplace_back(literal.data());
        break;
      default:
        return Unsupported("a subject alternative name of another kind than DNS, IP and URI");
    }
  }
  return {};
}

bool IsFor(const mbedtls_x509_crt& certificate, const char* oid, std::size_t size) {
  return mbedtls_x509_crt_check_extended_key_usage(&certificate, oid, size) == 0;
}

}  // namespace

Result<Content> ReadCertificate(std::string_view pem) {
  MbedCertificate certificate;
  if (auto parsed = ParseCertificate(pem, certificate); !parsed) return std::move(parsed).error();
  Content content;
  if (auto read = ReadSubject(*certificate.get(), content); !read) return std::move(read).error();
  if (auto read = ReadNames(*certificate.get(), content); !read) return std::move(read).error();
  // An authority's has no such extension, which would mean: for everything.
  if (certificate->ext_key_usage.buf.p != nullptr) {
    content.for_servers = IsFor(*certificate.get(), MBEDTLS_OID_SERVER_AUTH,
                                MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH));
    content.for_clients = IsFor(*certificate.get(), MBEDTLS_OID_CLIENT_AUTH,
                                MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH));
  }
  content.validity = {TimeOf(certificate->valid_from), TimeOf(certificate->valid_to)};
  return content;
}

}  // namespace dunlin::certificates
