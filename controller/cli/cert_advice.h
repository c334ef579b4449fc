#pragma once

#include <string>
#include <string_view>

namespace dunlin::cli {

/// Where the files of one certificate lie.
struct CertificateFiles {
  std::string authority;
  std::string certificate;
  std::string key;
};

/// What to do with a new certificate of this role: the flags of the program it is for, ready to be
/// copied; ends with a newline.
std::string AdviceFor(std::string_view role, const CertificateFiles& files);

}  // namespace dunlin::cli
