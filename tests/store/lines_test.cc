#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/lines/lines_reader.h"
#include "collector/store/lines/lines_writer.h"
#include "tests/support/catch.h"

namespace dunlin::store {
namespace {

struct Cut {
  std::string text;  // slots as <> and <...>
  std::vector<std::string> values;
  friend bool operator==(const Cut&, const Cut&) = default;
};

std::ostream& operator<<(std::ostream& out, const Cut& cut) {
  out << cut.text;
  for (const std::string& value : cut.values) out << " [" << value << "]";
  return out;
}

Cut CutLine(std::string_view line) {
  LineCutter cutter;
  std::vector<TextRange> values;
  std::string_view found = cutter.Cut(line, {0, static_cast<std::uint32_t>(line.size())}, values);
  Cut cut;
  for (char c : found) {
    cut.text += c == kValueSlot ? "<>" : c == kTextSlot ? "<...>" : std::string(1, c);
  }
  for (TextRange value : values) cut.values.emplace_back(line.substr(value.offset, value.bytes));
  return cut;
}

/// Lines as they come back from columns.
struct RoundTrip {
  explicit RoundTrip(const std::vector<std::string>& lines) {
    std::vector<TextRange> ranges;
    for (const std::string& line : lines) {
      ranges.push_back(
          {static_cast<std::uint32_t>(text.size()), static_cast<std::uint32_t>(line.size())});
      text += line;
      text += '\n';
    }
    TemplateDictionary dictionary;
    LinesWriter(dictionary).Encode(text, ranges, encoded);
    auto decoded = TemplateDictionary::Decode(dictionary.Encode());
    REQUIRE(decoded);
    templates = std::move(*decoded);
    auto reader = LinesReader::Open(encoded.layout, encoded.groups, templates,
                                    static_cast<std::uint32_t>(lines.size()));
    if (!reader) FAIL(reader.error().message());
    CHECK(reader->value_bytes() == encoded.values.size());
    if (auto set = reader->SetValues(encoded.values); !set) FAIL(set.error().message());
    if (auto done = reader->AppendLines(text.size(), back); !done) FAIL(done.error().message());
  }

  std::string text;
  EncodedLines encoded;
  std::vector<std::string> templates;
  std::string back;
};

void CheckRoundTrip(const std::vector<std::string>& lines) {
  RoundTrip trip(lines);
  CHECK(trip.back == trip.text);
}

TEST_CASE("words without digits are fixed text, runs of digits are values", "[lines]") {
  CHECK(CutLine("") == Cut{"", {}});
  CHECK(CutLine("GET /index.html") == Cut{"GET /index.html", {}});
  CHECK(CutLine("took 12 ms") == Cut{"took <> ms", {"12"}});
  CHECK(CutLine("12ms") == Cut{"<>ms", {"12"}});
  CHECK(CutLine("eth0: v2beta1") == Cut{"eth<>: v<>beta<>", {"0", "2", "1"}});
  CHECK(CutLine("2015-07-29 19:21:16,619") ==
        Cut{"<>-<>-<> <>:<>:<>,<>", {"2015", "07", "29", "19", "21", "16", "619"}});
}

TEST_CASE("an id is one value, whatever letters it has by chance", "[lines]") {
  CHECK(CutLine("blk_-1608999687919862906") == Cut{"blk_-<>", {"1608999687919862906"}});
  CHECK(CutLine("f47ac10b-58cc-4372-a567-0e02b2c3d479") ==
        Cut{"<>-<>-<>-<>-<>", {"f47ac10b", "58cc", "4372", "a567", "0e02b2c3d479"}});
  CHECK(CutLine("session 0x34ed9ac1c1e0064 ends") == Cut{"session 0x<> ends", {"34ed9ac1c1e0064"}});
  CHECK(CutLine("0xzoo1 0x") == Cut{"<>xzoo<> <>x", {"0", "1", "0"}});
  CHECK(CutLine("token a1b2c3Z") == Cut{"token <>", {"a1b2c3Z"}});
  CHECK(CutLine("a1b c3d") == Cut{"a<>b c<>d", {"1", "3"}});
}

TEST_CASE("bytes that mean slots, long lines and many values end in a text slot", "[lines]") {
  CHECK(CutLine(std::string_view("a 1\0b 2", 7)) ==
        Cut{"a <><...>", {"1", std::string("\0b 2", 4)}});
  CHECK(CutLine("\001") == Cut{"<...>", {"\001"}});
  const std::string rest = std::string(40000, '7');
  CHECK(CutLine("a " + rest) == Cut{"a <...>", {rest}});
  CHECK(CutLine("a " + std::string(kMaxCutBytes - 2, '7')) ==
        Cut{"a <>", {std::string(kMaxCutBytes - 2, '7')}});
  std::string numbers;
  for (int i = 0; i < 2000; ++i) numbers += "1 ";
  const Cut cut = CutLine(numbers);
  CHECK(cut.values.size() <= kMaxValues);
  CHECK(cut.text.substr(cut.text.size() - 5) == "<...>");
}

TEST_CASE("any lines come back from their columns byte for byte", "[lines]") {
  CheckRoundTrip({""});
  CheckRoundTrip({"", "", "", "", ""});
  CheckRoundTrip({"only one, with 3 values: 1 2"});
  CheckRoundTrip({std::string("\0\1\0", 3), "\n", "\r\n", "a\nb 1", "\xff\xfe 7"});
  std::vector<std::string> lines;
  for (int i = 0; i < 1000; ++i) {
    const std::string n = std::to_string(i);
    lines.push_back("2026-01-01 00:00:" + std::to_string(10 + i / 20) + " counts up to " + n);
    lines.push_back("2026-01-01 00:00:" + std::to_string(10 + i / 20) + " one of " +
                    std::to_string(i * i % 7) + " 00" + n + " and " + std::to_string(i % 3) + "x");
    lines.push_back("2026-01-01 00:00:" + std::to_string(10 + i / 20) + " word" +
                    std::string(static_cast<std::size_t>(i % 17), 'q') + " unique " + n);
    lines.push_back("id 0x" + std::to_string(1'000'000'007LL * i % 9'999'999'967LL) + " " +
                    std::to_string(18'446'744'073'709'551'615ULL - static_cast<unsigned>(i)));
    if (i % 100 == 0) lines.push_back(std::string(static_cast<std::size_t>(i) * 50, 'z') + n);
  }
  CheckRoundTrip(lines);
}

TEST_CASE("lines of random bytes come back", "[lines]") {
  std::mt19937_64 random(7);
  const std::string_view alphabets[] = {
      "01",   "0123456789abcdef", "0123456789 ", std::string_view("\0\1 0a", 5), "aZ9._- \n\t\xff",
      "0x1f "};
  for (std::string_view alphabet : alphabets) {
    for (int round = 0; round < 20; ++round) {
      std::vector<std::string> lines(1 + random() % 700);
      const std::size_t longest = 1 + random() % 40;
      for (std::string& line : lines) {
        line.resize(random() % longest);
        for (char& c : line) c = alphabet[random() % alphabet.size()];
      }
      CheckRoundTrip(lines);
    }
  }
}

TEST_CASE("the values behind a beginning that all lines share are one column", "[lines]") {
  std::vector<std::string> lines;
  for (int i = 0; i < 400; ++i) {
    // Five words that make five templates.
    lines.push_back(std::to_string(1000 + i) + " [" + std::to_string(i % 7) + "] " +
                    std::string(1, static_cast<char>('a' + i % 5)) + " " + std::to_string(i % 11));
  }
  RoundTrip trip(lines);
  CHECK(trip.back == trip.text);
  ByteReader layout(trip.encoded.layout);
  CHECK(layout.ReadVarint() == 1);    // shared beginnings
  CHECK(layout.ReadVarint() == 400);  // lines
  CHECK(layout.ReadVarint() == 2);    // slots
}

/// Rows in which a literal occurs, found by looking at each line.
std::vector<std::uint32_t> RowsWith(const std::vector<std::string>& lines, std::string literal,
                                    bool any_case) {
  auto lower = [&](std::string text) {
    for (char& c : text) {
      if (any_case && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return text;
  };
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < lines.size(); ++row) {
    if (lower(lines[row]).find(lower(literal)) != std::string::npos) rows.push_back(row);
  }
  return rows;
}

TEST_CASE("a literal is found in columns wherever it is in lines", "[lines]") {
  std::mt19937_64 random(11);
  const std::string_view words[] = {"get",  "GET",      "Error", "blk_",      "7", "12",
                                    "0042", "a1b2c3d4", "-",     " ",         ":", "x9",
                                    "zzz",  "0x1f",     "eE",    "1e5f6a7b8c"};
  std::size_t found = 0;
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> lines;
    const std::size_t shapes = 1 + random() % 6;
    for (std::size_t shape = 0; shape < shapes; ++shape) {
      std::vector<std::string_view> parts(1 + random() % 9);
      for (std::string_view& part : parts) part = words[random() % std::size(words)];
      for (std::size_t copy = 0; copy < 60; ++copy) {
        std::string line;
        for (std::string_view part : parts) {
          line += random() % 4 == 0 ? words[random() % std::size(words)] : part;
          if (random() % 5 == 0) line += std::to_string(random() % 300);
        }
        lines.push_back(std::move(line));
      }
    }
    std::shuffle(lines.begin(), lines.end(), random);
    const RoundTrip trip(lines);
    CHECK(trip.back == trip.text);
    auto reader = LinesReader::Open(trip.encoded.layout, trip.encoded.groups, trip.templates,
                                    static_cast<std::uint32_t>(lines.size()));
    REQUIRE(reader);
    REQUIRE(reader->SetValues(trip.encoded.values));
    for (int query = 0; query < 60; ++query) {
      const std::string& line = lines[random() % lines.size()];
      if (line.empty()) continue;
      const std::size_t begin = random() % line.size();
      std::string literal = line.substr(begin, 1 + random() % (line.size() - begin));
      if (random() % 4 == 0) literal[random() % literal.size()] = '1';
      const bool any_case = random() % 3 == 0;
      const LiteralSearch search(literal, any_case);
      std::vector<std::uint32_t> rows;
      reader->Select(search, reader->Examine(search), rows);
      INFO("literal \"" << literal << "\"" << (any_case ? " in any case" : ""));
      CHECK(rows == RowsWith(lines, literal, any_case));
      found += rows.size();
    }
  }
  CHECK(found > 1000);
}

TEST_CASE("what no line can hold is known without the values", "[lines]") {
  std::vector<std::string> lines;
  for (int i = 0; i < 500; ++i) {
    lines.push_back("request " + std::to_string(1000 + i) + " took " + std::to_string(i % 90) +
                    " ms");
  }
  const RoundTrip trip(lines);
  auto reader = LinesReader::Open(trip.encoded.layout, trip.encoded.groups, trip.templates, 500);
  REQUIRE(reader);
  auto kinds = [&](const char* literal, bool any_case) {
    std::vector<LiteralOutcome::Kind> found;
    for (const auto& outcome : reader->Examine(LiteralSearch(literal, any_case))) {
      found.push_back(outcome.kind);
    }
    return found;
  };
  using Kind = LiteralOutcome::Kind;
  CHECK(kinds("took", false) == std::vector{Kind::kAlways});
  CHECK(kinds("TOOK", false) == std::vector{Kind::kNever});
  CHECK(kinds("TOOK", true) == std::vector{Kind::kAlways});
  CHECK(kinds("f47ac10b", false) == std::vector{Kind::kNever});
  CHECK(kinds("12345", false) == std::vector{Kind::kNever});
  CHECK(kinds("1234 took 5", false) == std::vector{Kind::kSometimes});
  CHECK(kinds("1234 ms", false) == std::vector{Kind::kNever});
}

TEST_CASE("damaged columns are refused or give other text, and nothing worse", "[lines]") {
  std::vector<std::string> lines;
  for (int i = 0; i < 300; ++i) {
    lines.push_back("n " + std::to_string(i * 37 % 1000) + " of " + std::to_string(i) + " in f" +
                    std::to_string(i % 5) + " " +
                    std::string(static_cast<std::size_t>(i % 9), '-'));
  }
  const RoundTrip trip(lines);
  for (std::string EncodedLines::*part :
       {&EncodedLines::layout, &EncodedLines::groups, &EncodedLines::values}) {
    for (std::size_t i = 0; i < (trip.encoded.*part).size(); ++i) {
      for (unsigned flip : {0x01U, 0x80U, 0xFFU}) {
        EncodedLines damaged = trip.encoded;
        (damaged.*part)[i] ^= static_cast<char>(flip);
        auto reader = LinesReader::Open(damaged.layout, damaged.groups, trip.templates,
                                        static_cast<std::uint32_t>(lines.size()));
        if (!reader || !reader->SetValues(damaged.values)) continue;
        std::string back;
        if (reader->AppendLines(trip.text.size(), back)) CHECK(back.size() == trip.text.size());
      }
    }
  }
}

}  // namespace
}  // namespace dunlin::store
