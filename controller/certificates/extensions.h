#pragma once

#include <mbedtls/pk.h>

#include <string>
#include <string_view>

#include "controller/certificates/certificate.h"
#include "protocol/base/result.h"

/// For this folder only: the values of X.509 extensions that mbedTLS does not write, in DER
/// (X.690).
namespace dunlin::certificates {

/// RFC 5280 section 4.2.1.6. Empty when the content has no such names. Errors: kInvalidArgument for
/// what is no name of its kind.
Result<std::string> SubjectAlternativeNames(const Content& content);

/// RFC 5280 section 4.2.1.12. Empty when it is for neither.
std::string ExtendedKeyUsage(const Content& content);

/// What names a key (RFC 7093 section 2, method 1): the first 160 bits of the SHA-256 of its public
/// part.
std::string KeyIdentifierOf(const mbedtls_pk_context& key);
/// RFC 5280 sections 4.2.1.2 and 4.2.1.1: of the holder's key, and of the signer's.
std::string SubjectKeyIdentifier(std::string_view key_identifier);
std::string AuthorityKeyIdentifier(std::string_view key_identifier);

}  // namespace dunlin::certificates
