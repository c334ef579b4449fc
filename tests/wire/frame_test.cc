#include "protocol/wire/frame.h"

#include <vector>

#include "protocol/base/coding.h"
#include "tests/support/catch.h"
#include "tests/wire/random_values.h"

namespace dunlin::wire {
namespace {

struct Seen {
  FrameType type;
  std::string payload;
  friend bool operator==(const Seen&, const Seen&) = default;
};

/// All frames of `bytes` offered `step` at a time, up to the first error.
struct Reading {
  std::vector<Seen> frames;
  bool failed = false;

  explicit Reading(std::string_view bytes, std::size_t step = std::string_view::npos,
                   std::uint32_t max_payload_bytes = kMaxFramePayloadBytes) {
    FrameReader reader(max_payload_bytes);
    while (!bytes.empty() && !failed) {
      // A copy of its own for each piece: a view kept too long is then a use after free.
      std::string piece(bytes.substr(0, step));
      bytes.remove_prefix(piece.size());
      reader.Feed(piece);
      for (;;) {
        auto frame = reader.Next();
        if (!frame) {
          CHECK(frame.error().code() == ErrorCode::kCorruption);
          failed = true;
          break;
        }
        if (!*frame) break;
        frames.push_back({(*frame)->type, std::string((*frame)->payload)});
      }
    }
  }
};

std::string Framed(const std::vector<Seen>& frames) {
  std::string bytes;
  for (const Seen& frame : frames) AppendFrame(bytes, frame.type, frame.payload);
  return bytes;
}

const std::vector<Seen> kFrames = {{FrameType::kHello, "hello"},
                                   {FrameType::kPing, ""},
                                   {FrameType::kBatch, std::string(300, '\0')},
                                   {FrameType::kPong, "x"}};

TEST_CASE("frames are the same however their bytes arrive", "[wire][frame]") {
  std::string bytes = Framed(kFrames);
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    CAPTURE(step);
    Reading reading(bytes, step);
    CHECK_FALSE(reading.failed);
    CHECK(reading.frames == kFrames);
  }
}

TEST_CASE("a frame cut short is not a frame yet", "[wire][frame]") {
  std::string bytes = Framed({kFrames[0]});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    FrameReader reader;
    reader.Feed(std::string_view(bytes).substr(0, size));
    auto frame = reader.Next();
    REQUIRE(frame);
    CHECK_FALSE(*frame);
    CHECK(reader.buffered_bytes() == size);
  }
}

TEST_CASE("every flipped bit of a frame is noticed or leaves it incomplete", "[wire][frame]") {
  // 40 bytes and 1000 bytes: the checksum takes other ways for short and long input.
  auto size = GENERATE(std::size_t{0}, std::size_t{3}, std::size_t{40}, std::size_t{1000});
  std::string bytes = Framed({{FrameType::kBatch, std::string(size, 'x')}});
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    Reading reading(flipped);
    CHECK(reading.frames.empty());
    // A larger length waits for bytes that never come; everything else is an error at once.
    CHECK((reading.failed || bit < 32));
  }
}

TEST_CASE("flags and types of another version are refused", "[wire][frame]") {
  for (int type : {0, 11, 255}) {
    CHECK(Reading(Framed({{static_cast<FrameType>(type), "x"}})).failed);
  }
  // With a right checksum, which a newer peer would send.
  std::string bytes = Framed({{FrameType::kPing, ""}});
  REQUIRE(Reading(bytes).frames.size() == 1);
  bytes.replace(5, 1, "\x01");
  CHECK(Reading(bytes).failed);
}

TEST_CASE("a frame may have exactly the allowed size", "[wire][frame]") {
  std::string bytes = Framed({{FrameType::kMetrics, std::string(100, 'm')}});
  CHECK(Reading(bytes, 7, 100).frames.size() == 1);
  Reading refused(bytes.substr(0, kFrameHeaderBytes), 7, 99);
  CHECK(refused.failed);  // from its header alone
}

TEST_CASE("a reader stays failed", "[wire][frame]") {
  FrameReader reader;
  reader.Feed("this is not a frame at all");
  CHECK_FALSE(reader.Next());
  std::string bytes = Framed(kFrames);
  reader.Feed(bytes);
  CHECK_FALSE(reader.Next());
}

TEST_CASE("a frame built in place equals an appended one", "[wire][frame]") {
  std::string built = "before";
  std::size_t begin = BeginFrame(built);
  built += "payload";
  EndFrame(built, begin, FrameType::kAck);
  std::string appended = "before";
  AppendFrame(appended, FrameType::kAck, "payload");
  CHECK(built == appended);
}

TEST_CASE("random frames survive random pieces", "[wire][frame]") {
  RandomValues random(1);
  std::vector<Seen> frames;
  for (int i = 0; i < 200; ++i) {
    auto type = static_cast<FrameType>(1 + random.Below(10));
    frames.push_back({type, random.Line(i % 20 == 0 ? 400'000 : 500)});
  }
  std::string bytes = Framed(frames);
  for (int round = 0; round < 5; ++round) {
    CHECK(Reading(bytes, 1 + random.Below(100'000)).frames == frames);
  }
}

}  // namespace
}  // namespace dunlin::wire
