#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/http/parser.h"
#include "tests/fuzz/fuzz_input.h"

namespace dunlin::http {
namespace {

/// Everything a parser makes of the bytes, as text.
std::string Story(std::string_view bytes, std::size_t step) {
  std::string story;
  RequestParser parser({.header_bytes = 512, .body_bytes = 256});
  InPieces(bytes, step, [&](std::string_view piece) {
    while (!piece.empty() && !parser.failure()) {
      std::size_t used = parser.Feed(piece);
      Check(used <= piece.size(), "no more is used than was offered");
      piece.remove_prefix(used);
      auto request = parser.TakeRequest();
      Check(used > 0 || request || parser.failure(), "there is progress");
      if (!request) continue;
      Check(!parser.in_message(), "a taken request is over");
      Check(request->body.size() <= 256, "the body is within its limit");
      story += Join(request->method, " ", request->path, "|", request->target, "|", request->body,
                    parser.keep_alive() ? "|+" : "|-");
      for (const auto& [name, value] : request->headers) story += Join("|", name, "=", value);
      for (const auto& [name, value] : request->Params()) story += Join("&", name, "=", value);
      // What we took in, we can write out: as a response it has to frame itself.
      Serialize({200, request->headers, request->body}, parser.keep_alive(),
                /*head_request=*/false);
    }
    return !parser.failure();
  });
  // Which of two faults is named may depend on the pieces, the answer may not.
  if (parser.failure()) story += Join("!", parser.failure()->status);
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
