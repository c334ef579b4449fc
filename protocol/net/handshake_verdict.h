#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/base/result.h"
#include "protocol/net/tls_library.h"

/// For this folder only.
namespace dunlin::net {

/// What a handshake finds out about the peer, and what its failure means. It is asked by the
/// library about every certificate of the peer, and notes what the library does not keep.
class HandshakeVerdict {
 public:
  /// `name` is what a server must prove to be; unused at the server's end. `settings` outlives
  /// this.
  HandshakeVerdict(const TlsSettings& settings, std::string name)
      : settings_(settings), name_(std::move(name)) {}
  HandshakeVerdict(const HandshakeVerdict&) = delete;
  HandshakeVerdict& operator=(const HandshakeVerdict&) = delete;

  /// Sets up what `session`, whose handshake this outlives, expects of its peer: 0, or the
  /// library's status.
  int Attach(mbedtls_ssl_context* session);

  /// Everything that arrives before the handshake is over.
  void NoteBytes(std::string_view bytes);

  /// After each step: whether the peer's certificates are good, as far as they were seen.
  bool IsGood(const mbedtls_ssl_context* session);

  /// Of a handshake that ended with `status` or with certificates that are not good.
  TlsFailure FailureOf(int status) const;
  /// The same for people.
  std::string CauseOf(TlsFailure failure, int status) const;

 private:
  /// For each certificate of the peer's chain, the peer's own last, with what is wrong with it.
  static int OnCertificate(void* self, mbedtls_x509_crt* certificate, int depth,
                           std::uint32_t* flags);

  const TlsSettings& settings_;
  std::string name_;
  std::uint32_t flags_ = 0;  // what is wrong with the peer's certificates
  std::string subject_;      // whom they name
  int alert_ = 0;            // the peer's last
};

/// What a caller sees of a failed handshake who does not ask for its kind.
ErrorCode CodeOf(TlsFailure failure);

}  // namespace dunlin::net
