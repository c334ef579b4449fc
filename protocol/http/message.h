#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/peer_identity.h"
#include "protocol/base/percent.h"

namespace dunlin::http {

/// Header fields in order of arrival; names compare without case (RFC 9110 section 5.1).
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  void Add(std::string_view name, std::string_view value);
  /// Replaces every field of that name.
  void Set(std::string_view name, std::string_view value);
  /// The first value, or an empty view.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }

 private:
  std::vector<Field> fields_;
};

/// Names and values of a query string or form body, decoded, in order; a name may repeat.
class Parameters {
 public:
  /// Decodes application/x-www-form-urlencoded text; a malformed escape is kept as it is.
  static Parameters Parse(std::string_view encoded);

  void Add(std::string name, std::string value);
  /// The first value of `name`, or an empty view.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  std::vector<std::string_view> GetAll(std::string_view name) const;

  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

using dunlin::DecodePercent;
using dunlin::EncodePercent;

/// One complete request. A value: it outlives its connection.
struct Request {
  std::string method;  // as sent: "GET"
  std::string path;    // decoded, without the query
  std::string target;  // as sent
  Headers headers;
  std::string body;
  std::string peer;                      // "127.0.0.1:51234", filled by the server
  std::optional<PeerIdentity> identity;  // of the client's certificate, likewise
  Parameters path_values;  // what {name} segments of the route matched, filled by the router

  /// The query string merged with a form body when the content type says so.
  Parameters Params() const;
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;

  static Response Text(int status, std::string body);  // text/plain; charset=utf-8
  static Response Json(int status, std::string body);  // application/json; charset=UTF-8
};

/// "Not Found" for 404; "Unknown" for codes without a name.
std::string_view ReasonPhrase(int status);

/// Status line, headers, Content-Length and Connection, then the body (left out for HEAD, which
/// keeps the length).
std::string Serialize(const Response& response, bool keep_alive, bool head_request);

}  // namespace dunlin::http
