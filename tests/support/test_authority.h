#pragma once

#include <memory>
#include <string>
#include <vector>

namespace dunlin::testing {

/// A certificate and its key, in PEM.
struct IssuedCertificate {
  std::string certificate;
  std::string key;
};

/// What is to be in a certificate.
struct CertificateRequest {
  std::string common_name = "tested";
  std::vector<std::string> organizational_units = {};
  std::vector<std::string> dns_names = {};
  std::vector<std::string> ip_addresses = {};  // IPv4
  std::vector<std::string> uris = {};
  /// YYYYMMDDhhmmss, UTC.
  std::string not_before = "20200101000000";
  std::string not_after = "20991231235959";
  /// Else for anything.
  bool only_for_servers = false;
};

/// A certificate authority with a P-256 key of its own, made on the spot.
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name = "Test CA");
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  const std::string& certificate() const { return certificate_; }
  IssuedCertificate Issue(const CertificateRequest& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string certificate_;
};

}  // namespace dunlin::testing
