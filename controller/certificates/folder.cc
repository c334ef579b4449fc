#include "controller/certificates/folder.h"

#include <algorithm>
#include <utility>

#include "protocol/base/text.h"

namespace dunlin::certificates {
namespace {

constexpr std::string_view kCertificateEnding = ".pem";

}  // namespace

bool IsCertificateName(std::string_view name) {
  auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= 64 && is_word(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_word(c) || c == '.' || c == '_' || c == '-'; });
}

Result<Folder> Folder::Create(FileSystem& fs, std::string path) {
  if (auto made = fs.CreateDirectories(path); !made) return std::move(made).error();
  return Open(fs, std::move(path));
}

Result<Folder> Folder::Open(FileSystem& fs, std::string path) {
  auto lock = fs.Lock(path + "/lock");
  if (!lock) return std::move(lock).error();
  return Folder(fs, std::move(path), *std::move(lock));
}

std::string Folder::CertificatePath(std::string_view name) const {
  return Join(path_, '/', name, kCertificateEnding);
}

std::string Folder::KeyPath(std::string_view name) const { return Join(path_, '/', name, ".key"); }

bool Folder::Has(std::string_view name) const {
  return fs_->Exists(CertificatePath(name)) || fs_->Exists(KeyPath(name));
}

Result<std::vector<std::string>> Folder::Names() const {
  auto files = fs_->List(path_);
  if (!files) return std::move(files).error();
  std::vector<std::string> names;
  for (std::string_view file : *files) {
    if (!file.ends_with(kCertificateEnding)) continue;
    file.remove_suffix(kCertificateEnding.size());
    if (file != kAuthorityName && IsCertificateName(file)) names.emplace_back(file);
  }
  return names;
}

Result<Authority> Folder::ReadAuthority() const {
  auto certificate = ReadCertificate(kAuthorityName);
  if (!certificate) return std::move(certificate).error();
  auto key = ReadKey(kAuthorityName);
  if (!key) return std::move(key).error();
  auto authority = Authority::Load({*std::move(certificate), *std::move(key)});
  if (!authority) {
    return std::move(authority).error().Wrap(
        Join("cannot use the CA in ", CertificatePath(kAuthorityName)));
  }
  return authority;
}

Result<std::string> Folder::ReadCertificate(std::string_view name) const {
  return ReadFile(*fs_, CertificatePath(name));
}

Result<std::string> Folder::ReadKey(std::string_view name) const {
  return ReadFile(*fs_, KeyPath(name));
}

Result<void> Folder::Write(std::string_view name, const Pair& pair) {
  auto written =
      WriteFileAtomically(*fs_, KeyPath(name), pair.key, FileSystem::Mode::kCreatePrivate);
  return written ? WriteCertificate(name, pair.certificate) : written;
}

Result<void> Folder::WriteCertificate(std::string_view name, const std::string& pem) {
  return WriteFileAtomically(*fs_, CertificatePath(name), pem, FileSystem::Mode::kCreatePublic);
}

}  // namespace dunlin::certificates
