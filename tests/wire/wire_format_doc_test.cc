#include "tests/support/catch.h"
#include "tests/support/format_page.h"
#include "tests/wire/example_conversation.h"

// docs/wire-format.md shows a conversation in bytes, tests/golden/wire-v1 holds it, and the code
// writes and reads it. The three change together or not at all.
namespace dunlin::wire {
namespace {

using testing::Hex;
using testing::HexBlock;
using testing::ReadSource;

TEST_CASE("the example of the wire format is what the code writes", "[wire][golden]") {
  std::string page = ReadSource("docs/wire-format.md");
  std::string agent = ReadSource("tests/golden/wire-v1/agent.bin");
  std::string collector = ReadSource("tests/golden/wire-v1/collector.bin");
  CHECK(Hex(ExampleFromAgent()) == Hex(agent));
  CHECK(Hex(ExampleFromCollector()) == Hex(collector));
  CHECK(Hex(HexBlock(page, "agent")) == Hex(agent));
  CHECK(Hex(HexBlock(page, "collector")) == Hex(collector));
}

TEST_CASE("frames of version 1 stay readable", "[wire][golden]") {
  std::string agent = ReadSource("tests/golden/wire-v1/agent.bin");
  REQUIRE(agent.starts_with(kPreface));
  FrameReader from_agent;
  from_agent.Feed(std::string_view(agent).substr(kPreface.size()));
  auto frame = from_agent.Next();
  REQUIRE((frame && *frame));
  CHECK((*frame)->type == FrameType::kHello);
  CHECK(*DecodeHello((*frame)->payload) == ExampleHello());

  frame = from_agent.Next();
  REQUIRE((frame && *frame));
  CHECK((*frame)->type == FrameType::kBatch);
  auto batch = DecodeBatch((*frame)->payload);
  REQUIRE(batch);
  CHECK(batch->header == ExampleBatchHeader());
  Columns columns;
  REQUIRE(BatchDecoder().Decode(*batch, columns));
  CHECK(columns == ExampleColumns());
  frame = from_agent.Next();
  REQUIRE((frame && *frame));
  batch = DecodeBatch((*frame)->payload);
  REQUIRE(batch);
  CHECK(batch->header == ExampleGap().header);
  frame = from_agent.Next();
  REQUIRE(frame);
  CHECK_FALSE(*frame);
  CHECK(from_agent.buffered_bytes() == 0);

  std::string collector = ReadSource("tests/golden/wire-v1/collector.bin");
  FrameReader from_collector;
  from_collector.Feed(collector);
  frame = from_collector.Next();
  REQUIRE((frame && *frame));
  CHECK((*frame)->type == FrameType::kWelcome);
  CHECK(*DecodeWelcome((*frame)->payload) == ExampleWelcome());
  frame = from_collector.Next();
  REQUIRE((frame && *frame));
  CHECK((*frame)->type == FrameType::kAck);
  CHECK(*DecodeAck((*frame)->payload) == Ack{4});
}

}  // namespace
}  // namespace dunlin::wire
