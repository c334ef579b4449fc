#pragma once

#include <optional>
#include <string>

#include "protocol/http/message.h"

namespace dunlin::agent {

/// Who may ask what of the control listener. Two roles: a controller may do everything, and metrics
/// may read metrics and status. A role is shown by a token, or by a client certificate whose
/// organizational unit names it. Health is told to everybody. Decides and holds nothing else; any
/// thread.
class Access {
 public:
  struct Rules {
    std::string token;                   // the controller's; empty: there is none
    std::string metrics_token;           // likewise
    bool certificates = false;           // the listener checks those of its clients
    bool only_this_machine_asks = true;  // loopback
  };
  explicit Access(Rules rules) : rules_(std::move(rules)) {}

  /// What to answer instead of doing it: 401 to somebody unknown, 403 to a role that may not; or
  /// nothing.
  std::optional<http::Response> Refusal(const http::Request& request) const;

 private:
  enum class Role { kNobody, kReader, kMetrics, kController };

  Role RoleOf(const http::Request& request) const;
  Role RoleOfStranger() const;

  Rules rules_;
};

/// {"error": message}.
http::Response ErrorAnswer(int status, std::string_view message);

}  // namespace dunlin::agent
