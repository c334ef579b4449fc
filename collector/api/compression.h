#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/http/message.h"

namespace dunlin::api {

/// Answers smaller than this gain nothing from compression.
inline constexpr std::size_t kMinCompressedBytes = 1024;

/// `response` with its body in gzip when the request accepts that and the body is worth it.
http::Response CompressedFor(const http::Request& request, http::Response response);

/// The body of a request without its Content-Encoding (gzip, deflate or none). Errors:
/// kUnsupported for another encoding, kInvalidArgument for damaged bytes, kExhausted when it
/// unfolds to more than `max_bytes`.
Result<std::string> DecodedBody(const http::Request& request, std::size_t max_bytes);

}  // namespace dunlin::api
