#include "collector/store/gram_filter.h"

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/catch.h"

namespace dunlin::store {
namespace {

std::string FilterOf(std::string_view text, std::size_t most_bytes) {
  GramCollector grams;
  grams.Add(text);
  return grams.Encode(most_bytes);
}

bool MayContain(std::string_view filter, std::string_view literal) {
  auto opened = GramFilter::Open(filter);
  if (!opened) FAIL(opened.error().message());
  return opened->MayContain(LiteralGrams(literal));
}

/// Of letters, digits, points and what stands between words.
std::string RandomText(std::mt19937_64& random, std::size_t size, std::string_view from) {
  std::string text;
  while (text.size() < size) text.push_back(from[random() % from.size()]);
  return text;
}

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kAnything =
    "00112233445566778899aabbccddeeffgghhxyzABCDEFXYZ.....::--__ /@[`{\n\0\x80\xff\xb0\xe1\x2e";

std::string RandomLines(std::mt19937_64& random, std::size_t size) {
  std::string text;
  while (text.size() < size) {
    switch (random() % 5) {
      case 0:
        text += RandomText(random, 32, kHex);
        break;
      case 1:
        for (int i = 0; i < 4; ++i) text += std::to_string(random() % 256) + ".";
        break;
      case 2:
        text += "org.apache.Server" + std::to_string(random() % 1000);
        break;
      default:
        text += RandomText(random, random() % 40, kAnything);
        break;
    }
    text += random() % 8 == 0 ? '\n' : ' ';
  }
  return text;
}

std::set<std::string> GramsByHand(std::string_view text) {
  auto digit = [&](std::size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  auto of_word = [&](std::size_t i) {
    const char lower = static_cast<char>(text[i] | 0x20);
    return digit(i) || (lower >= 'a' && lower <= 'z') ||
           (text[i] == '.' && i > 0 && digit(i - 1) && digit(i + 1));
  };
  std::set<std::string> grams;
  for (std::size_t i = 0; i + kGramBytes <= text.size(); ++i) {
    std::string gram;
    for (std::size_t j = i; j < i + kGramBytes && of_word(j); ++j) {
      gram += static_cast<char>(text[j] >= 'A' && text[j] <= 'Z' ? text[j] + 32 : text[j]);
    }
    if (gram.size() == kGramBytes) grams.insert(gram);
  }
  return grams;
}

TEST_CASE("a filter of grams never denies what a line holds", "[grams]") {
  std::mt19937_64 random(GENERATE(1, 2, 3));
  const std::string text = RandomLines(random, GENERATE(5, 64, 200, 5000, 100000));
  for (std::size_t most_bytes : {2, 3, 50, 1000, 100000}) {
    const std::string filter = FilterOf(text, most_bytes);
    CHECK(filter.size() <= most_bytes);
    for (int i = 0; i < 500; ++i) {
      const std::size_t begin = random() % text.size();
      std::string literal = text.substr(begin, 1 + random() % 70);
      for (char& c : literal) {
        if (random() % 2 == 0 && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
      }
      CAPTURE(most_bytes, begin, literal);
      REQUIRE(MayContain(filter, literal));
    }
  }
}

TEST_CASE("grams are found wherever they lie", "[grams]") {
  std::mt19937_64 random(4);
  for (std::size_t size = 0; size < 300; ++size) {
    const std::string text = RandomText(random, size, kAnything);
    CAPTURE(text);
    REQUIRE(LiteralGrams(text).hashes().size() == GramsByHand(text).size());
  }
  const LiteralGrams wanted("7F3a9c");
  REQUIRE(wanted.hashes().size() == 1);
  for (std::size_t offset = 0; offset < 200; ++offset) {
    const LiteralGrams found(std::string(offset, ' ') + "7f3a9C" + std::string(offset % 70, '\n'));
    CHECK(std::ranges::equal(found.hashes(), wanted.hashes()));
  }
}

TEST_CASE("words end at everything but letters, digits and points between digits", "[grams]") {
  auto [text, grams] = GENERATE(table<std::string, std::size_t>({{"", 0},
                                                                 {"abcde", 0},
                                                                 {"abcdef", 1},
                                                                 {"ABCDEFg", 2},
                                                                 {"abc-def", 0},
                                                                 {"abc_def", 0},
                                                                 {"abc.def", 0},
                                                                 {"10.0.0.1", 3},
                                                                 {"12345.", 0},
                                                                 {".12345", 0},
                                                                 {"a.12345", 0},
                                                                 {"1234..5", 0},
                                                                 {"abc\xC3\xA4"
                                                                  "def",
                                                                  0}}));
  CAPTURE(text);
  CHECK(LiteralGrams(text).hashes().size() == grams);
  CHECK(LiteralGrams(text).empty() == (grams == 0));
}

TEST_CASE("a filter of grams denies nearly all ids that are not there", "[grams]") {
  std::mt19937_64 random(5);
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "id=" + RandomText(random, 32, kHex) + "\n";
  // 54,000 grams. Short of bytes, it keeps some of them.
  auto [most_bytes, most_wrong] =
      GENERATE(table<std::size_t, int>({{20000, 0}, {5000, 20}, {2500, 160}, {700, 450}}));
  const std::string filter = FilterOf(text, most_bytes);
  int wrong = 0;
  int wrong_parts = 0;
  for (int i = 0; i < 1000; ++i) {
    wrong += MayContain(filter, RandomText(random, 32, kHex));
    wrong_parts += MayContain(filter, RandomText(random, 10, kHex));
  }
  CAPTURE(most_bytes, wrong, wrong_parts);
  CHECK(wrong <= most_wrong);
  CHECK(wrong_parts < 950);
  CHECK(wrong_parts > wrong);
}

TEST_CASE("a filter of few grams takes few bytes", "[grams]") {
  const std::string none = FilterOf("a b c\n", 1000);
  CHECK(none.size() == 2);
  CHECK(MayContain(none, "a b c"));
  CHECK_FALSE(MayContain(none, "abcdef"));
  CHECK(FilterOf("GET /index.html 10.0.0.1\n", 1000).size() < 8);
}

TEST_CASE("grams are collected line by line or all at once", "[grams]") {
  std::mt19937_64 random(6);
  const std::string text = RandomLines(random, 5000) + "\n";
  GramCollector grams;
  grams.Add("left over from before");
  grams.Clear();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at) + 1;
    grams.Add(std::string_view(text).substr(at, end - at));
    at = end;
  }
  CHECK(grams.Encode(10000) == FilterOf(text, 10000));
}

/// Written down by a program of its own, from docs/segment-format.md.
TEST_CASE("the bytes of a filter of grams are those of the format", "[grams]") {
  const std::string filter = FilterOf("GET /cart/7f3a9c51D00DFEED 10.0.0.1 PaymentService\n", 1000);
  std::string hex;
  for (char c : filter) {
    hex += kHex[static_cast<unsigned char>(c) >> 4];
    hex += kHex[c & 15];
  }
  CHECK(hex == "00723e4ee060");
}

TEST_CASE("a damaged filter of grams is refused or another filter", "[grams]") {
  std::mt19937_64 random(7);
  const std::string text = RandomLines(random, 2000);
  const std::string filter = FilterOf(text, 200);
  CHECK_FALSE(GramFilter::Open(""));
  CHECK_FALSE(GramFilter::Open(filter.substr(0, 1)));
  std::vector<std::string> damaged;
  for (std::size_t bytes = 2; bytes < filter.size(); ++bytes) {
    damaged.push_back(filter.substr(0, bytes));
  }
  for (std::size_t at = 0; at < filter.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      damaged.push_back(filter);
      damaged.back()[at] = static_cast<char>(damaged.back()[at] ^ (1 << bit));
    }
  }
  for (const std::string& bytes : damaged) {
    // As long as they are: a byte beyond is seen by the sanitizer.
    const std::vector<char> exact(bytes.begin(), bytes.end());
    auto opened = GramFilter::Open({exact.data(), exact.size()});
    if (static_cast<unsigned char>(bytes[0]) > 8) {
      REQUIRE_FALSE(opened);
      continue;
    }
    REQUIRE(opened);
    opened->MayContain(LiteralGrams(text.substr(0, 300)));
    opened->MayContain(LiteralGrams("00000000 ffffffff zzzzzzzz"));
  }
}

}  // namespace
}  // namespace dunlin::store
