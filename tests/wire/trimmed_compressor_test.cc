// The agent's compressor lacks parts that level 1 does not need. This is the proof: compressed with
// it, unfolded with the distribution's.
#include <zstd.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

/// As BatchEncoder sets it up.
class Compressor {
 public:
  Compressor() : context_(ZSTD_createCCtx()) {
    ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, 1);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_windowLog, 17);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_contentSizeFlag, 1);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 0);
  }
  ~Compressor() { ZSTD_freeCCtx(context_); }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  std::string Compress(const std::string& text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    const std::size_t size =
        ZSTD_compress2(context_, out.data(), out.size(), text.data(), text.size());
    REQUIRE(ZSTD_isError(size) == 0);
    out.resize(size);
    return out;
  }

 private:
  ZSTD_CCtx* context_;
};

void CheckRoundTrip(Compressor& compressor, const std::string& text) {
  const std::string frame = compressor.Compress(text);
  std::string back(text.size() + 1, '\0');
  const std::size_t size = ZSTD_decompress(back.data(), back.size(), frame.data(), frame.size());
  if (ZSTD_isError(size) != 0) FAIL(ZSTD_getErrorName(size) << " at " << text.size() << " bytes");
  back.resize(size);
  if (back != text) FAIL("other bytes came back at " << text.size() << " bytes");
}

/// Words that repeat, with noise between them; `noise` of 256 bytes.
std::string Text(std::mt19937& random, std::size_t size, unsigned noise) {
  std::string text;
  while (text.size() < size) {
    if (random() % 256 < noise) {
      text.push_back(static_cast<char>(random()));
    } else {
      text += "word" + std::to_string(random() % 977) + ' ';
    }
  }
  text.resize(size);
  return text;
}

TEST_CASE("the agent's compressor takes texts of every size around its blocks", "[wire]") {
  Compressor compressor;
  std::mt19937 random(1);
  for (std::size_t block : {0, 1, 2, 8}) {
    for (std::size_t by = 0; by < 48; ++by) {
      CheckRoundTrip(compressor, Text(random, (block << 17) + by, 16));
      if (block > 0) CheckRoundTrip(compressor, Text(random, (block << 17) - by, 16));
    }
  }
}

TEST_CASE("the agent's compressor takes texts of any kind and size in one context", "[wire]") {
  Compressor compressor;
  std::mt19937 random(2);
  for (int i = 0; i < 4000; ++i) {
    const std::size_t size = random() % (std::size_t{1} << (1 + random() % 18));
    CheckRoundTrip(compressor, Text(random, size, static_cast<unsigned>(random() % 300)));
  }
}

TEST_CASE("the agent's compressor takes the same byte a million times, and only noise", "[wire]") {
  Compressor compressor;
  CheckRoundTrip(compressor, std::string(1'000'000, 'x'));
  std::mt19937 random(3);
  CheckRoundTrip(compressor, Text(random, 1'000'000, 256));
}

}  // namespace
}  // namespace dunlin
