#pragma once

#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/http/message.h"
#include "protocol/server/http_server.h"
#include "protocol/server/router.h"

namespace dunlin::controller {

/// What every request passes before and after its route: an id, the token, and problem+json for
/// answers that the router itself gave. Loop thread only; `router` outlives it.
class Gate {
 public:
  /// An empty `token` lets everybody in.
  Gate(const server::Router& router, std::string token);

  void Handle(http::Request request, server::Responder respond, server::Cancelled cancelled) const;

  /// For a token file that was read again.
  void SetToken(std::string token) { token_ = std::move(token); }

 private:
  bool Allowed(const http::Request& request) const;

  const server::Router& router_;
  std::string token_;
};

/// The token in a file, without the line's end. Errors: kInvalidArgument when there is none.
Result<std::string> ReadTokenFile(const std::string& path);

/// Equal, in a time that says nothing about where two texts differ.
bool EqualsInConstantTime(std::string_view a, std::string_view b);

}  // namespace dunlin::controller
