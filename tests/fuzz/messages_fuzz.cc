#include "protocol/base/check.h"
#include "protocol/wire/exposition.h"
#include "protocol/wire/messages.h"
#include "tests/fuzz/fuzz_input.h"

namespace dunlin::wire {
namespace {

/// Whatever decodes has one encoding that decodes to the same again.
template <typename Decode>
void Try(Decode decode, std::string_view payload) {
  auto message = decode(payload);
  if (!message) return;
  std::string bytes = Encode(*message);
  auto again = decode(bytes);
  Check(again.has_value(), "what was encoded decodes");
  Check(Encode(*again) == bytes, "and stays the same");
}

}  // namespace
}  // namespace dunlin::wire

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dunlin::wire;
  dunlin::FuzzInput input(data, size);
  std::uint8_t type = input.Byte() % 9;
  // Memory of its own, without slack behind it.
  std::string payload(input.rest());
  payload.shrink_to_fit();
  switch (type) {
    case 0:
      Try(DecodeHello, payload);
      break;
    case 1:
      Try(DecodeWelcome, payload);
      break;
    case 2:
      Try(DecodeAck, payload);
      break;
    case 3:
      Try(DecodeReject, payload);
      break;
    case 4:
      Try(DecodeSlowDown, payload);
      break;
    case 5:
      Try(DecodeGoodbye, payload);
      break;
    case 6:
      Try(DecodePing, payload);
      break;
    case 7:
      Try(DecodePong, payload);
      break;
    default:
      Try(DecodeMetrics, payload);
      if (auto metrics = DecodeMetrics(payload)) {
        std::string text;
        AppendExposition(text, metrics->families, {{"host", "h"}});
      }
      break;
  }
  return 0;
}
