#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/base/tls_failure.h"
#include "protocol/net/handshake_places.h"

namespace dunlin::net {

class TlsSettings;

/// PEM files. Certificates have P-256 or P-384 keys (RSA is not spoken), are signed with SHA-256 or
/// better, and come leaf first.
struct TlsFiles {
  std::string ca;           // whose signature a peer's certificate needs
  std::string certificate;  // own, with what leads up to the CA
  std::string key;
};

/// What a server does about certificates of its clients. A certificate that is shown and not good
/// ends the handshake, except where none is asked for.
enum class ClientCertificates { kIgnored, kOptional, kRequired };

/// Until when the files of a context hold: the first end among the certificates of each. Nothing
/// for a file that there is not.
struct TlsExpiry {
  std::optional<std::chrono::sys_seconds> certificate;
  std::optional<std::chrono::sys_seconds> ca;
};

/// Keys, certificates and rules of one listener, or of the connections to one kind of server. TLS
/// 1.2 with ECDHE, ECDSA and AEAD ciphers only: with it both ends know each other's verdict before
/// the first byte of data, which a client of TLS 1.3 does not.
///
/// The files are looked at again before each connection: when one has changed they are read again,
/// and when what they hold is bad, that is logged and the old stays in use. Connections keep what
/// they began with. A certificate in its last week is logged once a day. Loop thread only; outlives
/// the connections made with it.
class TlsContext {
 public:
  /// `files.ca` may be empty when no client certificate is asked for. Errors, here and below:
  /// kInvalidArgument for what is missing or does not fit, and those of reading files.
  /// `peer_role`, here and below, has to be in a certificate that the peer shows
  /// (protocol/base/certificate_role.h); empty: any will do.
  static Result<std::unique_ptr<TlsContext>> ForServer(TlsFiles files, ClientCertificates clients,
                                                       std::string peer_role = {});
  /// Without `files.certificate` the client shows none.
  static Result<std::unique_ptr<TlsContext>> ForClient(TlsFiles files, std::string peer_role = {});
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// Handshakes that failed so far, by TlsFailure. Any thread.
  std::array<std::uint64_t, kTlsFailures> failures() const;

  /// Of what is in use. Any thread.
  TlsExpiry expiry() const;

  /// From the first byte to the end of the handshake.
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);
  /// Of the handshakes that have begun; those that wait for a place hold no memory to speak of.
  HandshakePlaces places;

  /// For this folder only: what a connection begins with, after a look at the files.
  std::shared_ptr<const TlsSettings> Current();
  void Count(TlsFailure failure) { ++failures_[static_cast<std::size_t>(failure)]; }

 private:
  enum class End { kServer, kClient };
  struct Stamp;
  struct Files;
  static constexpr std::int64_t kNoExpiry = 0;

  static Result<std::unique_ptr<TlsContext>> Make(Files files);
  explicit TlsContext(std::unique_ptr<Files> files);
  void Use(std::shared_ptr<const TlsSettings> settings);
  void WarnOfExpiry();

  std::unique_ptr<Files> files_;
  // Shared with the connections that began with it, which may outlast a change of the files.
  std::shared_ptr<const TlsSettings> settings_;
  std::array<std::atomic<std::uint64_t>, kTlsFailures> failures_{};
  std::atomic<std::int64_t> certificate_expiry_{kNoExpiry};  // Unix time
  std::atomic<std::int64_t> ca_expiry_{kNoExpiry};
  LogTime next_warning_{};
};

}  // namespace dunlin::net
