#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "controller/certificates/certificate.h"
#include "protocol/base/result.h"

namespace dunlin::certificates {

/// A certificate authority with a P-256 key: signs certificates (with SHA-256) for the programs of
/// one installation, and never a further authority. Any thread, one at a time. Errors of all calls:
/// kInvalidArgument for what cannot stand in a certificate or is no PEM, kExhausted for want of
/// memory.
class Authority {
 public:
  /// With a new key. `name` is its common name.
  static Result<Authority> Create(std::string_view name, Validity validity);
  /// kInvalidArgument also when it is no authority's certificate, or not its key.
  static Result<Authority> Load(Pair pem);

  ~Authority();
  Authority(Authority&& other) noexcept;
  Authority& operator=(Authority&& other) noexcept;

  /// A certificate of this authority, and the key it was given or, when that is empty, a new one.
  Result<Pair> Issue(const Content& content, std::string key_pem = {}) const;
  /// This authority for longer: the same name and key, so that what it has signed stays good.
  Result<Authority> Renew(Validity validity) const;

  /// Whether it has signed this certificate; whether that is still valid does not matter.
  bool HasSigned(std::string_view certificate_pem) const;

  const Pair& pem() const;
  const Content& content() const;

 private:
  struct Impl;
  explicit Authority(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::certificates
