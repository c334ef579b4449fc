#pragma once

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "protocol/net/tls_context.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_authority.h"

namespace dunlin::testing {

/// The files of a TLS context in a folder of their own; written anew, they are new files.
class TlsFolder {
 public:
  net::TlsFiles files() const { return {Path("ca.pem"), Path("cert.pem"), Path("key.pem")}; }

  void WriteAuthority(const TestAuthority& authority) { Write("ca.pem", authority.certificate()); }
  void WriteCertificate(const IssuedCertificate& issued) {
    Write("cert.pem", issued.certificate);
    Write("key.pem", issued.key);
  }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(Path("new")) << text;
    REQUIRE(rename(Path("new").c_str(), Path(name).c_str()) == 0);
  }
  std::string Path(const std::string& name) const { return folder_.File(name); }

 private:
  TempDir folder_;
};

}  // namespace dunlin::testing
