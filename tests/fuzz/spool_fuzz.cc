#include <memory>
#include <string>

#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/wire/batch.h"
#include "shipper/spool/spool_folder.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/spool/example_spool.h"
#include "tests/support/memory_file_system.h"

// A spool whose files hold what the fuzzer made up, or the example with changes of the fuzzer's, is
// adopted, read to its end, dropped from and removed. Whatever the bytes, every answer moves on and
// nothing is left.
namespace dunlin::shipper {
namespace {

constexpr std::string_view kBoot = "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf";

/// The example with bytes changed, removed and added.
std::string Changed(std::string bytes, FuzzInput& input) {
  for (int changes = input.Byte() % 16; changes > 0 && !bytes.empty(); --changes) {
    std::size_t at = (input.Byte() * std::size_t{256} + input.Byte()) % bytes.size();
    switch (input.Byte() % 4) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ input.Byte());
        break;
      case 1:
        bytes.erase(at, input.Byte());
        break;
      case 2:
        bytes.insert(at, input.Take(input.Byte()));
        break;
      case 3: {
        std::size_t from = (input.Byte() * std::size_t{256} + input.Byte()) % bytes.size();
        bytes.insert(at / 8 * 8, bytes.substr(from / 8 * 8, input.Byte()));
        break;
      }
    }
  }
  return bytes;
}

/// Records with right checksums and numbers of the fuzzer's.
std::string MadeUp(FuzzInput& input, const SegmentName& name) {
  std::string out = EncodeHead(name, "identity");
  while (!input.rest().empty()) {
    SpoolRecord record;
    record.type = static_cast<RecordType>(input.Byte() % 3 + 1);
    record.batches = input.Byte();
    record.info.first_sequence = input.Byte();
    record.info.sequence = record.info.first_sequence + input.Byte() % 8;
    if (input.Byte() % 16 == 0) record.info.sequence = kMaxSequence - input.Byte();
    record.info.totals[input.Byte() % kOutputs] = {input.Byte(), input.Byte(), input.Byte()};
    record.info.before[0].lines = input.Byte();
    if (input.Byte() % 4 == 0) {
      record.info.gaps = {{input.Byte(), wire::Output::kStderr, input.Byte(), 1, "reason"}};
    }
    std::string payload(input.Take(input.Byte() % 32));
    record.payload_bytes = static_cast<std::uint32_t>(payload.size());
    record.payload_checksum = PayloadChecksum(payload, name.salt);
    std::size_t begin = out.size();
    AppendRecord(out, record, name.salt);
    out += payload;
    if (record.type == RecordType::kSummary) AppendFooter(out, out.size() - begin);
    if (input.Byte() % 8 != 0) out.resize(AlignedUp(out.size()));
  }
  return out;
}

void ReadToEnd(SpoolFolder& folder, std::unique_ptr<Spool> spool, FuzzInput input) {
  while (!spool->empty()) {
    std::uint64_t first = spool->first_sequence();
    auto batch = spool->Read(first);
    Check(batch.has_value(), "a batch within the range is answered");
    Check(batch->first_sequence <= first && batch->sequence >= first, "the answer has it");
    auto again = spool->Read(first);
    Check(again.has_value() && again->frame == batch->frame, "read again it is the same");
    if (input.Byte() % 4 == 0) {
      auto dropped = spool->DropOldest(batch->sequence + 1, "spool_full");
      Check(dropped.has_value(), "nothing keeps it from dropping");
    }
    Check(spool->Acknowledge(batch->sequence).has_value(), "nothing keeps it from forgetting");
    Check(spool->first_sequence() > first, "it moves on");
  }
  Check(folder.Remove(std::move(spool)).has_value(), "nothing keeps it from going");
}

}  // namespace
}  // namespace dunlin::shipper

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dunlin;
  using namespace dunlin::shipper;
  FuzzInput input(data, size);
  dunlin::testing::MemoryFileSystem fs;
  std::string path = Join("/spool/web-1/", kBoot);
  Check(fs.CreateDirectories(path).has_value(), "memory takes a folder");
  int kind = input.Byte() % 4;
  SegmentName second{2, 5};
  switch (kind) {
    case 0:
      fs.Put(path + "/" + EncodeSegmentName(second), std::string(input.rest()));
      fs.Put(path + "/boot", shipper::testing::ExampleBootFile());
      break;
    case 1:
      fs.Put(path + "/boot", std::string(input.rest()));
      fs.Put(path + "/" + EncodeSegmentName(shipper::testing::kExampleName),
             shipper::testing::ExampleSegment());
      break;
    case 2:
      fs.Put(path + "/boot", Changed(shipper::testing::ExampleBootFile(), input));
      fs.Put(path + "/" + EncodeSegmentName(shipper::testing::kExampleName),
             Changed(shipper::testing::ExampleSegment(), input));
      break;
    case 3:
      fs.Put(path + "/" + EncodeSegmentName(shipper::testing::kExampleName),
             shipper::testing::ExampleSegment());
      fs.Put(path + "/" + EncodeSegmentName(second), MadeUp(input, second));
      break;
  }
  SpoolFolder folder(fs, "/spool", {});
  auto spool = folder.Adopt({"web-1", std::string(kBoot)});
  if (!spool) {
    Check(spool.error().code() == ErrorCode::kCorruption ||
              spool.error().code() == ErrorCode::kUnsupported,
          "only its bytes can be wrong");
    return 0;
  }
  ReadToEnd(folder, std::move(*spool), input);
  Check(fs.Files("/spool").empty(), "nothing is left");
  return 0;
}
