#include <vector>

#include "protocol/base/check.h"
#include "protocol/wire/frame.h"
#include "tests/fuzz/fuzz_input.h"

namespace dunlin::wire {
namespace {

/// Reads all frames, and writes them again: what was read must be what had been written.
std::string Rewritten(std::string_view bytes, std::size_t step, bool& failed) {
  std::string out;
  FrameReader reader(/*max_payload_bytes=*/4096);
  InPieces(bytes, step, [&](std::string_view piece) {
    reader.Feed(piece);
    for (;;) {
      auto frame = reader.Next();
      failed = !frame;
      if (failed || !*frame) return !failed;
      AppendFrame(out, (*frame)->type, (*frame)->payload);
    }
  });
  return out;
}

}  // namespace
}  // namespace dunlin::wire

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dunlin;
  FuzzInput input(data, size);
  std::size_t step = input.Byte() + std::size_t{1};
  // As it came, and as frames with right checksums around it.
  std::string framed;
  std::string_view rest = input.rest();
  for (std::uint8_t type = 1; !rest.empty(); type = type % 10 + 1) {
    std::string_view payload = rest.substr(0, 20U * type);
    wire::AppendFrame(framed, static_cast<wire::FrameType>(type), payload);
    rest.remove_prefix(payload.size());
  }
  for (std::string_view bytes : {input.rest(), std::string_view(framed)}) {
    bool failed_whole = false;
    bool failed_in_pieces = false;
    std::string whole = wire::Rewritten(bytes, bytes.size(), failed_whole);
    Check(whole == wire::Rewritten(bytes, step, failed_in_pieces), "pieces make the same frames");
    Check(failed_whole == failed_in_pieces, "pieces fail alike");
    // Reserved bytes are not kept, so only the sizes agree for certain.
    Check(whole.size() <= bytes.size(), "no frame comes from nowhere");
  }
  bool failed = false;
  Check(wire::Rewritten(framed, step, failed) == framed && !failed, "frames read back");
  return 0;
}
