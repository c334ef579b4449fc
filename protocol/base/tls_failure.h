#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace dunlin {

/// Why there was no TLS connection.
enum class TlsFailure : std::uint8_t {
  kUntrusted,      // the peer's certificate is not signed by our CA
  kExpired,        // or not yet valid
  kWrongName,      // it is good, and somebody else's
  kWrongRole,      // it is good, and not for what is done here
  kUnsuitable,     // its key, hash or purpose is not acceptable
  kNoCertificate,  // the peer showed none
  kRefused,        // the peer ended the handshake: most likely it does not like ours
  kNotTls,         // the peer speaks something else
  kTimeout,
  kLost,      // the connection went in the middle of the handshake
  kProtocol,  // no common version or cipher, or a malformed message
};
inline constexpr std::size_t kTlsFailures = 11;

/// "untrusted", "wrong_name": in metrics and in the status of an agent.
std::string_view TlsFailureName(TlsFailure failure);
/// The one of that name, if there is one.
std::optional<TlsFailure> ParseTlsFailure(std::string_view name);

}  // namespace dunlin
