#include "controller/certificates/extensions.h"

#include <arpa/inet.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>

#include <algorithm>
#include <array>

#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/x509/mbed_certificate.h"

namespace dunlin::certificates {
namespace {

// X.690 section 8.1.2, RFC 5280 section 4.2.1.1.
constexpr int kOctetString = 0x04;
constexpr int kObjectId = 0x06;
constexpr int kSequence = 0x30;
constexpr int kKeyIdentifier = 0x80;

/// Tag, length, content.
std::string Der(int tag, std::string_view content) {
  std::string out{static_cast<char>(tag)};
  const std::size_t size = content.size();
  Check(size <= 0xffff, "a DER value of more than 64 KiB");
  if (size < 0x80) {
    out.push_back(static_cast<char>(size));
  } else if (size <= 0xff) {
    out += {'\x81', static_cast<char>(size)};
  } else {
    out += {'\x82', static_cast<char>(size >> 8), static_cast<char>(size)};
  }
  out += content;
  return out;
}

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

/// RFC 1123 section 2.1, and an asterisk as the whole first label (RFC 6125 section 6.4.3).
bool IsHostName(std::string_view name) {
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.empty() || name.size() > 253) return false;
  for (std::string_view label : Split(name, '.')) {
    const bool good = !label.empty() && label.size() <= 63 && label.front() != '-' &&
                      label.back() != '-' && std::all_of(label.begin(), label.end(), [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                               (c >= '0' && c <= '9') || c == '-' || c == '_';
                      });
    if (!good) return false;
  }
  return true;
}

Result<std::string> AddressBytes(const std::string& literal) {
  std::array<char, 16> bytes;
  if (inet_pton(AF_INET, literal.c_str(), bytes.data()) == 1) return std::string(bytes.data(), 4);
  if (inet_pton(AF_INET6, literal.c_str(), bytes.data()) == 1) return std::string(bytes.data(), 16);
  return Invalid(Join("\"", literal, "\" is not an IP address"));
}

std::string PurposeId(const char* oid, std::size_t size) {
  return Der(kObjectId, std::string_view(oid, size));
}

}  // namespace

Result<std::string> SubjectAlternativeNames(const Content& content) {
  constexpr std::size_t kMaxNames = 200;  // so that a handshake's first message stays one record
  if (content.dns_names.size() + content.ip_addresses.size() + content.uris.size() > kMaxNames) {
    return Invalid(Join("more than ", kMaxNames, " names in one certificate"));
  }
  std::string names;
  for (const std::string& name : content.dns_names) {
    if (!IsHostName(name)) return Invalid(Join("\"", name, "\" is not a host name"));
    names += Der(x509::kDnsName, name);
  }
  for (const std::string& uri : content.uris) {
    const bool plain =
        std::all_of(uri.begin(), uri.end(), [](char c) { return c > ' ' && c < '\x7f'; });
    if (!plain || uri.empty() || uri.size() > 1024) {
      return Invalid(Join("\"", uri, "\" is not a URI"));
    }
    names += Der(x509::kUri, uri);
  }
  for (const std::string& literal : content.ip_addresses) {
    auto bytes = AddressBytes(literal);
    if (!bytes) return std::move(bytes).error();
    names += Der(x509::kIpAddress, *bytes);
  }
  return names.empty() ? names : Der(kSequence, names);
}

std::string ExtendedKeyUsage(const Content& content) {
  std::string purposes;
  if (content.for_servers) {
    purposes += PurposeId(MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH));
  }
  if (content.for_clients) {
    purposes += PurposeId(MBEDTLS_OID_CLIENT_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH));
  }
  return purposes.empty() ? purposes : Der(kSequence, purposes);
}

std::string KeyIdentifierOf(const mbedtls_pk_context& key) {
  std::array<unsigned char, 256> text;  // written from its end: a P-384 point has 97 bytes
  unsigned char* start = text.data() + text.size();
  const int size = mbedtls_pk_write_pubkey(&start, text.data(), &key);
  Check(size > 0, "the public key of a key that was read");
  std::array<unsigned char, 32> hash;
  const int status = mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), start,
                                static_cast<std::size_t>(size), hash.data());
  Check(status == 0, "SHA-256");
  return std::string(reinterpret_cast<const char*>(hash.data()), 20);
}

std::string SubjectKeyIdentifier(std::string_view key_identifier) {
  return Der(kOctetString, key_identifier);
}

std::string AuthorityKeyIdentifier(std::string_view key_identifier) {
  return Der(kSequence, Der(kKeyIdentifier, key_identifier));
}

}  // namespace dunlin::certificates
