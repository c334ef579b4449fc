#include "controller/cli/cert_advice.h"

#include "protocol/base/certificate_role.h"
#include "protocol/base/text.h"

namespace dunlin::cli {
namespace {

/// As a word of a shell.
std::string Word(const std::string& path) {
  if (path.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "/._-+:@%") == std::string::npos) {
    return path;
  }
  std::string quoted = "'";
  for (char c : path) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted.push_back(c);
    }
  }
  return quoted + "'";
}

}  // namespace

std::string AdviceFor(std::string_view role, const CertificateFiles& files) {
  const std::string own =
      Join(" --tls-cert ", Word(files.certificate), " --tls-key ", Word(files.key));
  const std::string flags = Join("--tls-ca ", Word(files.authority), own);
  if (role == role::kAgent) {
    return Join("For the collector's connection and the agent's own listener:\n  dunlin-agent ",
                flags, " …\n");
  }
  if (role == role::kCollector) {
    return Join("For agents and for HTTP:\n  dunlin-collector --tls-client-ca ",
                Word(files.authority), own, " …\n");
  }
  if (role == role::kController) {
    return Join("For commands to agents and collectors:\n  dunlin doctor ", flags,
                " …\n  curl --cacert ", Word(files.authority), " --cert ", Word(files.certificate),
                " --key ", Word(files.key), " https://127.0.0.1:18888/v1/status\n");
  }
  return Join(
      "For Prometheus, in the scrape configuration of agents and collectors:\n"
      "  scheme: https\n  tls_config:\n    ca_file: ",
      files.authority, "\n    cert_file: ", files.certificate, "\n    key_file: ", files.key, "\n");
}

}  // namespace dunlin::cli
