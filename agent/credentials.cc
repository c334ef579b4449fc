#include "agent/credentials.h"

#include <string_view>
#include <utility>

#include "protocol/base/certificate_role.h"
#include "protocol/base/file_system.h"
#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

Result<std::string> ReadToken(std::string_view flag, const std::string& path) {
  auto content = ReadFile(PosixFileSystem(), path);
  if (!content) return std::move(content).error().Wrap(flag);
  std::string_view text = *content;
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  std::string token(Trim(text));
  if (token.empty()) {
    return Error(ErrorCode::kInvalidArgument, Join(flag, " ", path, " is empty"));
  }
  return token;
}

}  // namespace

Result<Credentials> LoadCredentials(Configuration& configuration) {
  Credentials credentials;
  credentials.token = std::exchange(configuration.token, {});
  if (!configuration.token_file.empty()) {
    auto token = ReadToken("--token-file", configuration.token_file);
    if (!token) return std::move(token).error();
    credentials.token = std::move(*token);
  }
  if (!configuration.metrics_token_file.empty()) {
    auto token = ReadToken("--metrics-token-file", configuration.metrics_token_file);
    if (!token) return std::move(token).error();
    credentials.metrics_token = std::move(*token);
  }
  const net::TlsFiles files{configuration.tls_ca, configuration.tls_cert, configuration.tls_key};
  constexpr std::string_view kFlags = "--tls-ca, --tls-cert, --tls-key";
  if (!configuration.collectors.empty() && !files.ca.empty()) {
    auto tls = net::TlsContext::ForClient(files, std::string(role::kCollector));
    if (!tls) return std::move(tls).error().Wrap(kFlags);
    credentials.collector_tls = std::move(*tls);
  }
  if (!configuration.listen || files.certificate.empty()) return credentials;
  // Not required in the handshake: probes of an orchestrator have no certificate, and see health.
  const auto clients =
      files.ca.empty() ? net::ClientCertificates::kIgnored : net::ClientCertificates::kOptional;
  auto tls = net::TlsContext::ForServer(files, clients);
  if (!tls) return std::move(tls).error().Wrap(kFlags);
  credentials.listener_tls = std::move(*tls);
  return credentials;
}

}  // namespace dunlin::agent
