#include "collector/api/compression.h"

#include <zlib.h>

#include <array>
#include <optional>
#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::api {
namespace {

constexpr int kGzipFormat = 15 + 16;        // window bits; zlib.h, deflateInit2
constexpr int kGzipOrZlibFormat = 15 + 32;  // detected from the header
constexpr int kMemoryLevel = 8;

/// RFC 9110 section 12.5.3: a list of codings, each with a weight, 0 meaning "not this one".
bool AcceptsGzip(std::string_view accept_encoding) {
  for (std::string_view item : Split(accept_encoding, ',')) {
    std::vector<std::string_view> parts = Split(item, ';');
    if (!EqualsIgnoreCase(Trim(parts[0]), "gzip")) continue;
    for (std::size_t i = 1; i < parts.size(); ++i) {
      std::string_view weight = Trim(parts[i]);
      if (weight.starts_with("q=0") && weight.find_first_not_of("q=0.") == std::string_view::npos) {
        return false;
      }
    }
    return true;
  }
  return false;
}

Bytef* BytesOf(const char* text) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(text));  // zlib reads only
}

std::string Gzip(std::string_view text) {
  z_stream stream{};
  Check(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipFormat, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) == Z_OK,
        "zlib cannot be initialised");
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = BytesOf(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = BytesOf(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  int status = deflate(&stream, Z_FINISH);
  Check(status == Z_STREAM_END, "deflateBound was too small");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

Result<std::string> Inflate(std::string_view bytes, std::size_t max_bytes) {
  z_stream stream{};
  Check(inflateInit2(&stream, kGzipOrZlibFormat) == Z_OK, "zlib cannot be initialised");
  stream.next_in = BytesOf(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  std::array<char, 64_KiB> buffer;
  std::optional<Error> failure;
  for (;;) {
    stream.next_out = BytesOf(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    int status = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer.data(), buffer.size() - stream.avail_out);
    if (out.size() > max_bytes) {
      failure = Error(ErrorCode::kExhausted,
                      Join("the body unfolds to more than ", FormatSize(max_bytes)));
      break;
    }
    if (status == Z_STREAM_END) {
      if (stream.avail_in == 0) break;
      // RFC 1952 section 2.2: a gzip file may have several members.
      if (inflateReset(&stream) == Z_OK) continue;
    }
    if (status != Z_OK) {
      failure = Error(ErrorCode::kInvalidArgument,
                      Join("the body is not what its Content-Encoding says: ",
                           stream.msg != nullptr ? stream.msg : "it ends early"));
      break;
    }
  }
  inflateEnd(&stream);
  if (failure) return *std::move(failure);
  return out;
}

}  // namespace

http::Response CompressedFor(const http::Request& request, http::Response response) {
  if (response.body.size() < kMinCompressedBytes) return response;
  response.headers.Set("Vary", "Accept-Encoding");
  if (!AcceptsGzip(request.headers.Get("Accept-Encoding"))) return response;
  response.body = Gzip(response.body);
  response.headers.Set("Content-Encoding", "gzip");
  return response;
}

Result<std::string> DecodedBody(const http::Request& request, std::size_t max_bytes) {
  std::string_view encoding = Trim(request.headers.Get("Content-Encoding"));
  if (encoding.empty() || EqualsIgnoreCase(encoding, "identity")) {
    if (request.body.size() > max_bytes) {
      return Error(ErrorCode::kExhausted, Join("the body is larger than ", FormatSize(max_bytes)));
    }
    return request.body;
  }
  if (EqualsIgnoreCase(encoding, "gzip") || EqualsIgnoreCase(encoding, "deflate")) {
    return Inflate(request.body, max_bytes);
  }
  return Error(ErrorCode::kUnsupported, Join("Content-Encoding ", encoding,
                                             " is not supported: send gzip, deflate or none"));
}

}  // namespace dunlin::api
