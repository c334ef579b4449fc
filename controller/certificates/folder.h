#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "controller/certificates/authority.h"
#include "controller/certificates/certificate.h"
#include "protocol/base/file_system.h"
#include "protocol/base/result.h"

namespace dunlin::certificates {

/// Name of the authority among the certificates of a folder.
inline constexpr std::string_view kAuthorityName = "ca";

/// Whether it can be the name of a certificate's files: up to 64 letters, digits and . _ -, not
/// beginning with one of those.
bool IsCertificateName(std::string_view name);

/// The certificates of one installation: NAME.pem for everybody and NAME.key for its owner alone,
/// of the authority and of everyone it has signed. Held against other processes while this lives.
/// Files are replaced as a whole, durably. Errors: those of the files.
class Folder {
 public:
  /// Creates the folder and its parents where they are missing.
  static Result<Folder> Create(FileSystem& fs, std::string path);
  /// One that exists.
  static Result<Folder> Open(FileSystem& fs, std::string path);

  std::string CertificatePath(std::string_view name) const;
  std::string KeyPath(std::string_view name) const;
  /// Whether either of its files is there.
  bool Has(std::string_view name) const;
  /// All that have a certificate, but for the authority.
  Result<std::vector<std::string>> Names() const;

  Result<Authority> ReadAuthority() const;
  Result<std::string> ReadCertificate(std::string_view name) const;
  Result<std::string> ReadKey(std::string_view name) const;

  /// The key first: programs that look in between keep what they have, because a key alone that has
  /// changed does not fit.
  Result<void> Write(std::string_view name, const Pair& pair);
  Result<void> WriteCertificate(std::string_view name, const std::string& pem);

 private:
  Folder(FileSystem& fs, std::string path, std::unique_ptr<FileLock> lock)
      : fs_(&fs), path_(std::move(path)), lock_(std::move(lock)) {}

  FileSystem* fs_;
  std::string path_;
  std::unique_ptr<FileLock> lock_;
};

}  // namespace dunlin::certificates
