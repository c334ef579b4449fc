#include "protocol/net/tls_context.h"

#include <string.h>
#include <sys/stat.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "protocol/base/certificate_life.h"
#include "protocol/base/file_system.h"
#include "protocol/base/log.h"
#include "protocol/base/rfc3339.h"
#include "protocol/base/text.h"
#include "protocol/net/tls_library.h"

namespace dunlin::net {
namespace {

/// Between two warnings of one certificate.
constexpr std::chrono::hours kWarningPause(24);

constexpr int kCipherSuites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                 MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                                 MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, 0};

// For every certificate of a chain.
constexpr mbedtls_x509_crt_profile kProfile = {
    .allowed_mds = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) |
                   MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) |
                   MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
    .allowed_pks = MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA),
    .allowed_curves = MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) |
                      MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1),
    .rsa_min_bitlen = 0,
};

void AllowOurProtocol(mbedtls_ssl_config* config) {
  mbedtls_ssl_conf_ciphersuites(config, kCipherSuites);
  mbedtls_ssl_conf_cert_profile(config, &kProfile);
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  static constexpr std::uint16_t kGroups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
                                              MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
                                              MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
  mbedtls_ssl_conf_groups(config, kGroups);
  mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
  mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
#else
  static constexpr mbedtls_ecp_group_id kCurves[] = {MBEDTLS_ECP_DP_SECP256R1,
                                                     MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};
  mbedtls_ssl_conf_curves(config, kCurves);
  mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_max_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
}

/// A secret read from a file, gone from memory afterwards.
class SecretText {
 public:
  explicit SecretText(std::string text) : text_(std::move(text)) {}
  ~SecretText() { explicit_bzero(text_.data(), text_.size()); }
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// Reads one of the files into an object of the library.
template <typename Object>
Result<void> Load(const std::string& path, Result<void> (*parse)(const std::string&, Object&),
                  Object& into) {
  auto content = ReadFile(PosixFileSystem(), path);
  if (!content) return std::move(content).error();
  const SecretText pem(std::move(*content));  // only one of them is, and the others lose nothing
  auto parsed = parse(pem.text(), into);
  if (!parsed) return std::move(parsed).error().Wrap(Join("cannot use ", path));
  return {};
}

/// The first end among them, as Unix time.
std::int64_t EarliestEnd(const x509::MbedCertificates& certificates) {
  std::int64_t earliest = std::numeric_limits<std::int64_t>::max();
  for (const auto* one = certificates.get(); one != nullptr; one = one->next) {
    earliest =
        std::min<std::int64_t>(earliest, x509::TimeOf(one->valid_to).time_since_epoch().count());
  }
  return earliest;
}

int VerificationOf(ClientCertificates clients) {
  switch (clients) {
    case ClientCertificates::kIgnored:
      return MBEDTLS_SSL_VERIFY_NONE;
    case ClientCertificates::kOptional:
      return MBEDTLS_SSL_VERIFY_OPTIONAL;
    case ClientCertificates::kRequired:
      return MBEDTLS_SSL_VERIFY_REQUIRED;
  }
  return MBEDTLS_SSL_VERIFY_REQUIRED;
}

}  // namespace

/// What tells one content of the files from another without reading them: a file that is replaced
/// is another one, a file that is written to is newer.
struct TlsContext::Stamp {
  struct OfFile {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = -1;
    std::int64_t modified_ns = 0;
    friend bool operator==(const OfFile&, const OfFile&) = default;
  };
  OfFile ca, certificate, key;
  friend bool operator==(const Stamp&, const Stamp&) = default;

  static Stamp Of(const TlsFiles& files) {
    return {Of(files.ca), Of(files.certificate), Of(files.key)};
  }
  static OfFile Of(const std::string& path) {
    struct stat found;
    if (path.empty() || stat(path.c_str(), &found) != 0) return {};
    return {found.st_dev, found.st_ino, found.st_size,
            found.st_mtim.tv_sec * std::int64_t{1'000'000'000} + found.st_mtim.tv_nsec};
  }
};

struct TlsContext::Files {
  TlsFiles paths;
  End end;
  ClientCertificates clients;
  std::string peer_role;
  Stamp stamp{};  // when they were last read

  Result<std::shared_ptr<const TlsSettings>> Read() {
    // Before reading: what changes meanwhile is a change to be seen next time.
    stamp = Stamp::Of(paths);
    auto settings = std::make_shared<TlsSettings>();
    settings->is_client = end == End::kClient;
    settings->peer_role = peer_role;
    settings->client_optional = clients == ClientCertificates::kOptional;
    if (!paths.ca.empty()) {
      if (auto loaded = Load(paths.ca, x509::ParseCertificates, settings->ca); !loaded) {
        return std::move(loaded).error();
      }
    }
    if (!paths.certificate.empty()) {
      if (auto loaded = Load(paths.certificate, x509::ParseCertificates, settings->chain);
          !loaded) {
        return std::move(loaded).error();
      }
      if (auto loaded = Load(paths.key, x509::ParseKey, settings->key); !loaded) {
        return std::move(loaded).error();
      }
      if (!x509::IsPair(settings->chain, settings->key)) {
        return Error(ErrorCode::kInvalidArgument,
                     Join("cannot use ", paths.key, ": it is not the key of ", paths.certificate));
      }
    }
    if (auto set = Configure(*settings); !set) return std::move(set).error();
    return std::shared_ptr<const TlsSettings>(std::move(settings));
  }

  Result<void> Configure(TlsSettings& settings) const {
    mbedtls_ssl_config* config = settings.config.get();
    int status = mbedtls_ssl_config_defaults(
        config, end == End::kClient ? MBEDTLS_SSL_IS_CLIENT : MBEDTLS_SSL_IS_SERVER,
        MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (status == 0 && !paths.certificate.empty()) {
      status = mbedtls_ssl_conf_own_cert(config, settings.chain.get(), settings.key.get());
    }
    if (status != 0) return Error(ErrorCode::kExhausted, x509::MbedErrorText(status));
    AllowOurProtocol(config);
    mbedtls_ssl_conf_rng(config, x509::MbedRandom, nullptr);
    mbedtls_ssl_conf_authmode(
        config, end == End::kClient ? MBEDTLS_SSL_VERIFY_REQUIRED : VerificationOf(clients));
    if (!paths.ca.empty()) mbedtls_ssl_conf_ca_chain(config, settings.ca.get(), nullptr);
    return {};
  }
};

Result<std::unique_ptr<TlsContext>> TlsContext::ForServer(TlsFiles files,
                                                          ClientCertificates clients,
                                                          std::string peer_role) {
  if (files.certificate.empty()) {
    return Error(ErrorCode::kInvalidArgument, "a TLS listener needs a certificate");
  }
  if (files.ca.empty() && clients != ClientCertificates::kIgnored) {
    return Error(ErrorCode::kInvalidArgument, "client certificates need a CA to check them with");
  }
  return Make({std::move(files), End::kServer, clients, std::move(peer_role)});
}

Result<std::unique_ptr<TlsContext>> TlsContext::ForClient(TlsFiles files, std::string peer_role) {
  if (files.ca.empty()) {
    return Error(ErrorCode::kInvalidArgument, "TLS needs a CA to check the server with");
  }
  return Make({std::move(files), End::kClient, ClientCertificates::kIgnored, std::move(peer_role)});
}

Result<std::unique_ptr<TlsContext>> TlsContext::Make(Files files) {
  if (files.paths.certificate.empty() != files.paths.key.empty()) {
    return Error(ErrorCode::kInvalidArgument, "a TLS certificate and its key come together");
  }
  auto context =
      std::unique_ptr<TlsContext>(new TlsContext(std::make_unique<Files>(std::move(files))));
  auto settings = context->files_->Read();
  if (!settings) return std::move(settings).error();
  context->Use(std::move(*settings));
  return context;
}

TlsContext::TlsContext(std::unique_ptr<Files> files) : files_(std::move(files)) {}
TlsContext::~TlsContext() = default;

std::array<std::uint64_t, kTlsFailures> TlsContext::failures() const {
  std::array<std::uint64_t, kTlsFailures> counted{};
  for (std::size_t i = 0; i < kTlsFailures; ++i) counted[i] = failures_[i];
  return counted;
}

TlsExpiry TlsContext::expiry() const {
  auto when = [](std::int64_t end) {
    return end == kNoExpiry ? std::nullopt
                            : std::optional(std::chrono::sys_seconds(std::chrono::seconds(end)));
  };
  return {when(certificate_expiry_), when(ca_expiry_)};
}

void TlsContext::Use(std::shared_ptr<const TlsSettings> settings) {
  settings_ = std::move(settings);
  const TlsFiles& paths = files_->paths;
  certificate_expiry_ = paths.certificate.empty() ? kNoExpiry : EarliestEnd(settings_->chain);
  ca_expiry_ = paths.ca.empty() ? kNoExpiry : EarliestEnd(settings_->ca);
  next_warning_ = {};
  WarnOfExpiry();
}

void TlsContext::WarnOfExpiry() {
  const LogTime now = SystemClock().Now();
  if (now < next_warning_) return;
  next_warning_ = now + kWarningPause;
  const TlsExpiry ends = expiry();
  for (const auto& [file, end] :
       {std::pair(&files_->paths.certificate, ends.certificate), {&files_->paths.ca, ends.ca}}) {
    if (!end) continue;
    const CertificateLife life = LifeOf(*end, now);
    if (life == CertificateLife::kGood) continue;
    log::Warn(life == CertificateLife::kOver ? "a certificate has expired"
                                             : "a certificate expires within a week",
              {{"file", *file}, {"ends", FormatRfc3339(*end)}, {"cure", "dunlin cert renew"}});
  }
}

std::shared_ptr<const TlsSettings> TlsContext::Current() {
  if (Stamp::Of(files_->paths) == files_->stamp) {
    WarnOfExpiry();
    return settings_;
  }
  auto settings = files_->Read();
  if (settings) {
    Use(std::move(*settings));
    log::Info("TLS files have changed and are in use",
              {{"ca", files_->paths.ca}, {"certificate", files_->paths.certificate}});
  } else {
    log::Warn("TLS files have changed and cannot be used; the old stay in use",
              {{"cause", settings.error().message()}});
  }
  return settings_;
}

}  // namespace dunlin::net
