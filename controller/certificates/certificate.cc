#include "controller/certificates/certificate.h"

#include <arpa/inet.h>
#include <mbedtls/oid.h>

#include <array>

#include "protocol/base/text.h"
#include "protocol/x509/mbed_certificate.h"

namespace dunlin::certificates {
namespace {

using x509::BytesOf;

Error Unsupported(std::string_view what) {
  return Error(ErrorCode::kUnsupported,
               Join("the certificate has ", what, ", which is not written here"));
}

Result<void> ReadSubject(const mbedtls_x509_crt& certificate, Content& into) {
  for (const auto* part = &certificate.subject; part != nullptr; part = part->next) {
    const std::string_view kind = BytesOf(part->oid);
    std::string& text = kind == x509::kCommonName ? into.common_name : into.role;
    if (kind != x509::kCommonName && kind != x509::kOrganizationalUnit) {
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
      case x509::kDnsName:
        into.dns_names.emplace_back(bytes);
        break;
      case x509::kUri:
        into.uris.emplace_back(bytes);
        break;
      case x509::kIpAddress:
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
  x509::MbedCertificates certificate;
  if (auto parsed = x509::ParseCertificates(std::string(pem), certificate); !parsed) {
    return std::move(parsed).error();
  }
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
  content.validity = {x509::TimeOf(certificate->valid_from), x509::TimeOf(certificate->valid_to)};
  return content;
}

}  // namespace dunlin::certificates
