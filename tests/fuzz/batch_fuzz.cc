#include <zstd.h>

#include "protocol/base/check.h"
#include "protocol/wire/batch.h"
#include "protocol/wire/frame.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/batch_frame.h"

namespace dunlin::wire {
namespace {

/// Whatever decodes is encoded again and decodes to the same.
void TryView(const BatchView& view) {
  static BatchDecoder decoder;
  static BatchEncoder encoder;
  Columns columns;
  if (!decoder.Decode(view, columns)) return;
  Check(columns.line_lengths.size() == view.entries, "entries as the header says");
  // The header keeps the time of the first run; a batch whose runs are all empty has none.
  if (columns.empty()) return;

  const std::string frame = testing::BatchFrame(encoder, view.header, columns);
  auto again = DecodeBatch(std::string_view(frame).substr(kFrameHeaderBytes));
  Check(again.has_value(), "what was encoded decodes");
  Check(again->header == view.header, "with the same header");
  Columns columns_again;
  Check(decoder.Decode(*again, columns_again).has_value(), "and the same");
  Check(columns_again == columns, "columns");
}

}  // namespace
}  // namespace dunlin::wire

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dunlin::wire;
  dunlin::FuzzInput input(data, size);
  std::uint8_t mode = input.Byte();
  if (mode % 2 == 0) {
    std::string payload(input.rest());
    payload.shrink_to_fit();
    if (auto view = DecodeBatch(payload)) TryView(*view);
    return 0;
  }
  // The bytes as columns, behind the compression that random bytes hardly get through.
  BatchView view;
  view.entries = input.Byte();
  view.raw_bytes = input.Byte();
  view.base_time_ns = mode;
  std::string content(ZSTD_compressBound(input.rest().size()), '\0');
  content.resize(
      ZSTD_compress(content.data(), content.size(), input.rest().data(), input.rest().size(), 1));
  view.content_bytes = static_cast<std::uint32_t>(input.rest().size());
  view.content = content;
  TryView(view);
  return 0;
}
