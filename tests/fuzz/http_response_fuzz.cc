#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/http/parser.h"
#include "tests/fuzz/fuzz_input.h"

namespace dunlin::http {
namespace {

/// Everything a parser makes of the bytes, as text.
std::string Story(std::string_view bytes, std::size_t step) {
  ResponseParser parser({.header_bytes = 512, .body_bytes = 256});
  bool failed = false;
  InPieces(bytes, step, [&](std::string_view piece) {
    failed = !parser.Feed(piece);
    return !failed;
  });
  if (!failed) failed = !parser.Finish();
  if (failed) return "failed";
  auto response = parser.TakeResponse();
  Check(response.has_value(), "a finished response is there");
  std::string story = Join(response->status, "|", response->body);
  for (const auto& [name, value] : response->headers) story += Join("|", name, "=", value);
  return story;
}

}  // namespace
}  // namespace dunlin::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dunlin::FuzzInput input(data, size);
  std::size_t step = input.Byte() % 64 + std::size_t{1};
  std::string_view bytes = input.rest();
  dunlin::Check(dunlin::http::Story(bytes, bytes.size()) == dunlin::http::Story(bytes, step),
                "pieces tell the same story");
  return 0;
}
