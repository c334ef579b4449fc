#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/lines/lines_check.h"
#include "collector/store/lines/lines_reader.h"
#include "collector/store/lines/lines_writer.h"
#include "tests/support/catch.h"
#include "tests/support/string_values.h"

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
  auto cutter = std::make_unique<LineCutter>();
  std::vector<CutValue> values(kMaxValues);
  const TextRange range{0, static_cast<std::uint32_t>(line.size())};
  const LineCut found = cutter->Cut(line, range, values.data());
  values.resize(found.values);
  std::string text;
  AppendTemplate(line, range, found, values, text);
  const std::size_t bytes = text.size();
  text.resize(bytes + kTemplatePadding);
  CHECK(HasTemplate(line, range, found, values, std::string_view(text).substr(0, bytes)));
  text.resize(bytes);
  Cut cut;
  for (char c : text) {
    cut.text += c == kValueSlot ? "<>" : c == kTextSlot ? "<...>" : std::string(1, c);
  }
  for (const CutValue& value : values) {
    const std::string_view written = value.In(line);
    cut.values.emplace_back(written);
    if (value.form() == ValueForm::kText) continue;
    const int base = value.form() == ValueForm::kHex ? 16 : 10;
    std::uint64_t number = 0;
    std::from_chars(written.data(), written.data() + written.size(), number, base);
    CHECK(value.number == number);
  }
  return cut;
}

/// Lines as they come back from columns.
struct RoundTrip {
  explicit RoundTrip(const std::vector<std::string>& lines)
      : rows(static_cast<std::uint32_t>(lines.size())) {
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
    testing::StringValues values(encoded.values, encoded.frame_ends);
    auto reader = Open(encoded, values);
    if (!reader) FAIL(reader.error().message());

    std::vector<std::uint32_t> ends;
    if (auto done = reader->AppendLines(text.size(), back, ends); !done) {
      FAIL(done.error().message());
    }
    for (std::uint32_t row = 0; row < lines.size(); ++row) {
      REQUIRE(ends[row] == ranges[row].offset + ranges[row].bytes);
    }
    CheckSomeRows(lines);
  }

  /// Of `columns`, whose values come from `values`.
  Result<LinesReader> Open(const EncodedLines& columns, ValueBytes& values) const {
    return LinesReader::Open(columns.layout, columns.templates, columns.groups, rows, templates,
                             values);
  }

  void CheckSomeRows(const std::vector<std::string>& lines) const {
    std::vector<std::uint32_t> some;
    std::string expected;
    for (std::uint32_t row = 0; row < lines.size(); row += 1 + row % 5) {
      some.push_back(row);
      expected += lines[row] + "\n";
    }
    testing::StringValues values(encoded.values);
    auto reader = Open(encoded, values);
    REQUIRE(reader);
    std::string found;
    std::vector<std::uint32_t> ends;
    REQUIRE(reader->AppendRows(some, found, ends));
    CHECK(found == expected);
    CHECK(ends.size() == some.size());
  }

  std::uint32_t rows;

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

TEST_CASE("words are found wherever they lie in a line", "[lines]") {
  const std::vector<std::pair<std::string, std::string>> words = {
      {"", ""},
      {"plain", "plain"},
      {"7", "<>"},
      {"123456789012345678", "<>"},
      {"1234567890123456789", "<>"},
      {"ms12", "ms<>"},
      {"0x1f00", "0x<>"},
      {"0123456789abcdef", "<>"},
      {"0123456789abcdef0", "<>"},
      {"f1f2f3", "<>"},
      {"Z1Z2Z3", "<>"},
      {std::string(64, 'q'), std::string(64, 'q')},
      {std::string(63, 'q') + "7", std::string(63, 'q') + "<>"},
      {"7" + std::string(63, 'q'), "<>" + std::string(63, 'q')},
      {"7" + std::string(90, 'q') + "11", "<>" + std::string(90, 'q') + "<>"},
      {std::string(200, '8'), "<>"},
      {std::string(70, 'a') + "1", "<>"}};
  for (std::size_t before = 0; before < 140; ++before) {
    for (const auto& [word, text] : words) {
      for (const auto& [next, next_text] : words) {
        const std::string in_front = std::string(before, '-');
        INFO("after " << before << ": " << word << " " << next);
        CHECK(CutLine(in_front + word + " " + next).text == in_front + text + " " + next_text);
      }
    }
  }
}

TEST_CASE("lines of one template have it, and others do not", "[lines]") {
  const std::string text = "took 12 ms\ntook 7 ms\ntook 7 mS\ntook 7\ntake 7 ms\ntook 7 ms 1\n";
  auto cutter = std::make_unique<LineCutter>();
  std::vector<CutValue> values(kMaxValues);
  const std::string known("took \0 ms\0\0\0\0\0\0\0\0", 17);
  std::vector<bool> has;
  std::vector<bool> same_hash;
  std::uint64_t hash = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    const TextRange line{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end - at)};
    const LineCut cut = cutter->Cut(text, line, values.data());
    if (at == 0) hash = cut.hash;
    has.push_back(HasTemplate(text, line, cut, std::span(values).first(cut.values),
                              std::string_view(known).substr(0, 9)));
    same_hash.push_back(cut.hash == hash);
    at = end + 1;
  }
  CHECK(has == std::vector{true, true, false, false, false, false});
  CHECK(same_hash == has);
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

TEST_CASE("a large part of a column is a frame of its own, small ones share theirs", "[lines]") {
  std::vector<std::string> lines;
  std::mt19937_64 random(5);
  for (int i = 0; i < 6000; ++i) {
    // One byte, three bytes (a high and two low planes), and three columns of few values each.
    lines.push_back("a " + std::to_string(random() % 200) + " b " +
                    std::to_string(1'000'000 + random() % 9'000'000));
    if (i % 100 == 0) {
      lines.push_back("c " + std::to_string(random() % 200) + " d " +
                      std::to_string(random() % 200) + " e " + std::to_string(random() % 200));
    }
  }
  RoundTrip trip(lines);
  CHECK(trip.back == trip.text);
  CHECK(trip.encoded.frame_ends.size() == 3);
  CHECK(trip.encoded.frame_ends.back() == trip.encoded.values.size());
}

TEST_CASE("lines with hardly a template in common are cut behind what they share", "[lines]") {
  std::mt19937_64 random(3);
  auto letters = [&random](std::size_t bytes) {
    std::string word(bytes, ' ');
    for (char& c : word) c = static_cast<char>('a' + random() % 26);
    return word;
  };
  std::vector<std::string> lines;
  for (int i = 0; i < 3000; ++i) {
    lines.push_back("10:00:" + std::to_string(10 + i / 60) + " [" + std::to_string(i) + "] " +
                    letters(12) + " " + std::to_string(i % 7) + " " + letters(9));
  }
  lines[5] = "";
  lines[6] = "no value";
  lines[2000] = "10:00:11 [7";
  RoundTrip cut(lines);
  CHECK(cut.back == cut.text);
  CHECK(cut.templates.size() < 10);
  CHECK(std::count(cut.templates.begin(), cut.templates.end(), std::string("\0:\0:\0 [\0\1", 9)) ==
        1);

  for (std::string& line : lines) line = letters(30);
  RoundTrip whole(lines);
  CHECK(whole.back == whole.text);
  CHECK(whole.templates == std::vector<std::string>{"\1"});
}

TEST_CASE("lines of hardly anything but values are kept whole", "[lines]") {
  std::vector<std::string> lines;
  for (int i = 0; i < 200; ++i) {
    std::string line;
    for (int value = 0; value < 500; ++value) line += std::to_string((i + value) % 10) + ",";
    lines.push_back(line);
  }
  RoundTrip trip(lines);
  CHECK(trip.back == trip.text);
  CHECK(trip.templates == std::vector<std::string>{"\1"});
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
  // The bytes of slots: a line is cut at the first of them.
  const std::string_view slots[] = {"\1", std::string_view("\0", 1)};
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
          if (round % 4 == 0 && random() % 20 == 0) line += slots[random() % std::size(slots)];
        }
        lines.push_back(std::move(line));
      }
    }
    std::shuffle(lines.begin(), lines.end(), random);
    const RoundTrip trip(lines);
    CHECK(trip.back == trip.text);
    testing::StringValues values(trip.encoded.values);
    auto reader = trip.Open(trip.encoded, values);
    REQUIRE(reader);
    const std::vector<std::uint8_t> all_groups(reader->groups(), 1);
    for (int query = 0; query < 60; ++query) {
      const std::string& line = lines[random() % lines.size()];
      if (line.empty()) continue;
      const std::size_t begin = random() % line.size();
      std::string literal = line.substr(begin, 1 + random() % (line.size() - begin));
      if (random() % 4 == 0) literal[random() % literal.size()] = '1';
      const bool any_case = random() % 3 == 0;
      const LiteralSearch search(literal, any_case);
      RowMarks marks(lines.size());
      auto outcomes = reader->Examine(search, all_groups);
      REQUIRE(outcomes);
      REQUIRE(reader->Mark(search, *outcomes, all_groups, marks));
      std::vector<std::uint32_t> rows;
      for (std::uint32_t row = 0; row < marks.size(); ++row) {
        if (marks[row] != 0) rows.push_back(row);
      }
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
  testing::StringValues values(trip.encoded.values);
  auto reader = trip.Open(trip.encoded, values);
  REQUIRE(reader);
  auto kinds = [&](const char* literal, bool any_case) {
    std::vector<LiteralOutcome::Kind> found;
    const LiteralSearch search(literal, any_case);
    auto outcomes = reader->Examine(search, std::vector<std::uint8_t>(reader->groups(), 1));
    REQUIRE(outcomes);
    for (const auto& outcome : *outcomes) found.push_back(outcome.kind);
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

TEST_CASE("columns that do not give every byte back are told from those that do", "[lines]") {
  std::string text;
  std::vector<TextRange> ranges;
  for (int i = 0; i < 200; ++i) {
    const std::string line = "n " + std::to_string(i * 37 % 1000) + " of 0" + std::to_string(i);
    ranges.push_back(
        {static_cast<std::uint32_t>(text.size()), static_cast<std::uint32_t>(line.size())});
    text += line + "\n";
  }
  TemplateDictionary dictionary;
  dictionary.Add("of another block");
  EncodedLines columns;
  LinesWriter(dictionary).Encode(text, ranges, columns);
  CHECK(ComesBack(columns, dictionary, 200, text));
  EncodedLines other = columns;
  other.values.back() ^= 1;
  CHECK_FALSE(ComesBack(other, dictionary, 200, text));
  other = columns;
  other.layout.pop_back();
  CHECK_FALSE(ComesBack(other, dictionary, 200, text));
  text[3] ^= 1;
  CHECK_FALSE(ComesBack(columns, dictionary, 200, text));
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
        testing::StringValues values(damaged.values);
        auto reader = trip.Open(damaged, values);
        if (!reader) continue;
        std::string back;
        std::vector<std::uint32_t> ends;
        if (reader->AppendLines(trip.text.size(), back, ends)) {
          CHECK(back.size() == trip.text.size());
        }
      }
    }
  }
}

}  // namespace
}  // namespace dunlin::store
