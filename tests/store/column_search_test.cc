// Searching columns against looking at every line.
#include "collector/store/column_search.h"

#include <re2/re2.h>

#include <random>

#include "collector/store/lines/lines_writer.h"
#include "tests/support/catch.h"
#include "tests/support/string_values.h"

namespace dunlin::store {
namespace {

using FilterKind = LineFilter::Kind;

/// The lines of a block as columns.
class Columns {
 public:
  explicit Columns(const std::vector<std::string>& lines)
      : rows_(static_cast<std::uint32_t>(lines.size())) {
    std::vector<TextRange> ranges;
    for (const std::string& line : lines) {
      ranges.push_back(
          {static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(line.size())});
      text_ += line;
      text_ += '\n';
    }
    TemplateDictionary dictionary;
    LinesWriter(dictionary).Encode(text_, ranges, encoded_);
    templates_ = TemplateDictionary::Decode(dictionary.Encode()).value();
  }

  std::vector<std::uint32_t> Select(const std::vector<LineFilter>& filters, RowRange range) {
    auto matcher = LineMatcher::Create(filters);
    REQUIRE(matcher);
    testing::StringValues values(encoded_.values);
    auto reader = LinesReader::Open(encoded_.layout, encoded_.templates, encoded_.groups, rows_,
                                    templates_, values);
    REQUIRE(reader);
    std::vector<std::uint32_t> rows;
    REQUIRE(SelectInColumns(**matcher, *reader, range, text_.size(), rows));
    return rows;
  }

 private:
  std::uint32_t rows_;
  std::string text_;
  EncodedLines encoded_;
  std::vector<std::string> templates_;
};

bool Holds(const LineFilter& filter, const std::string& line) {
  const bool holds = filter.kind == FilterKind::kContains
                         ? line.find(filter.pattern) != std::string::npos
                         : RE2::PartialMatch(line, RE2(filter.pattern));
  return holds != filter.negated;
}

std::vector<std::string> SomeLines(std::mt19937_64& random) {
  const std::string_view words[] = {"error",
                                    "Error",
                                    "ERROR",
                                    "task",
                                    "TASK failed",
                                    "\xE2\x84\xAA"
                                    "elvin",
                                    "\xC5\xBF",
                                    "blk_-160",
                                    "7777",
                                    "12",
                                    "0042",
                                    "a1b2c3d4",
                                    "-",
                                    " ",
                                    ":",
                                    "x.9",
                                    "a\nb",
                                    "\xff",
                                    "na\xC3\xAFve",
                                    "(x)"};
  std::vector<std::string> lines;
  for (std::size_t shape = 1 + random() % 8; shape > 0; --shape) {
    std::vector<std::string_view> parts(1 + random() % 7);
    for (std::string_view& part : parts) part = words[random() % std::size(words)];
    for (int copy = 0; copy < 40; ++copy) {
      std::string line;
      for (std::string_view part : parts) {
        line += random() % 5 == 0 ? words[random() % std::size(words)] : part;
        if (random() % 4 == 0) line += std::to_string(random() % 9000);
      }
      lines.push_back(std::move(line));
    }
  }
  std::shuffle(lines.begin(), lines.end(), random);
  return lines;
}

const std::vector<LineFilter>& SomeFilters() {
  static const std::vector<LineFilter> filters = [] {
    std::vector<LineFilter> made;
    for (const char* text : {"error", "777", "task", "-160", "a1b2c3d4", " ", "x.9", "nowhere"}) {
      made.push_back({FilterKind::kContains, false, text});
      made.push_back({FilterKind::kContains, true, text});
    }
    for (const char* regex : {"error",
                              "(?i)error",
                              "(?i)task",
                              "(?i)kelvin",
                              "(?i)\xC5\xBF",
                              "(?i)NA\xC3\x8FVE",
                              "blk_-?[0-9]*7777[0-9]*",
                              "^error",
                              "7777$",
                              "error|7777",
                              "(?:error)|(?:77+7)",
                              "(?s)err.r",
                              "(?i)(?s)err.r",
                              "er+or",
                              "er?ror",
                              "er*ror",
                              "er{1,2}or",
                              "er{2}or",
                              "\\(x\\)",
                              "x\\.9",
                              "[Ee]rror",
                              "[]a]1b2",
                              "\\d{4}",
                              "(error)+7",
                              "(?:(?i)ERR)or",
                              "(?P<word>error)",
                              "",
                              "\\Qx.9\\E",
                              "\\x41",
                              "(?-i)error",
                              "\xC3\xAF+ve",
                              "a\nb",
                              "a.b",
                              "error|",
                              "|error",
                              "nowhere",
                              "(nowhere)?",
                              "(?:nowhere|(error|task))",
                              "\\berror\\b"}) {
      made.push_back({FilterKind::kRegex, false, regex});
      made.push_back({FilterKind::kRegex, true, regex});
    }
    return made;
  }();
  return filters;
}

TEST_CASE("filters find in columns what they find in lines", "[store][column_search]") {
  std::mt19937_64 random(GENERATE(range(1, 9)));
  const std::vector<std::string> lines = SomeLines(random);
  Columns columns(lines);
  const auto& filters = SomeFilters();
  auto check = [&](const std::vector<LineFilter>& chosen, RowRange range) {
    std::vector<std::uint32_t> expected;
    for (std::uint32_t row = range.first; row < range.end; ++row) {
      bool all = true;
      for (const LineFilter& filter : chosen) all = all && Holds(filter, lines[row]);
      if (all) expected.push_back(row);
    }
    std::string what;
    for (const LineFilter& filter : chosen) {
      what += (filter.negated ? "not " : "") + filter.pattern + "; ";
    }
    CAPTURE(what, range.first, range.end);
    CHECK(columns.Select(chosen, range) == expected);
  };
  const RowRange all{0, static_cast<std::uint32_t>(lines.size())};
  for (const LineFilter& filter : filters) check({filter}, all);
  for (int round = 0; round < 60; ++round) {
    std::vector<LineFilter> chosen;
    for (std::size_t count = 1 + random() % 3; count > 0; --count) {
      chosen.push_back(filters[random() % filters.size()]);
    }
    RowRange range;
    range.first = static_cast<std::uint32_t>(random() % lines.size());
    range.end = range.first + static_cast<std::uint32_t>(random() % (lines.size() - range.first));
    check(chosen, range);
  }
}

struct Known {
  bool exact = false;
  std::vector<std::vector<std::string>> alternatives;
  friend bool operator==(const Known&, const Known&) = default;
};

Known KnownOf(const std::string& regex) {
  Known known;
  const FilterLiterals literals = LiteralsOf({FilterKind::kRegex, false, regex});
  known.exact = literals.exact;
  for (const auto& alternative : literals.alternatives) {
    auto& texts = known.alternatives.emplace_back();
    for (const FilterLiterals::Literal& literal : alternative) {
      texts.push_back((literal.search.any_case() ? "~" : "") + literal.search.literal());
    }
  }
  return known;
}

TEST_CASE("what a regular expression says about literals", "[store][column_search]") {
  CHECK(KnownOf("error") == Known{true, {{"error"}}});
  CHECK(KnownOf("(?i)Error") == Known{true, {{"~error"}}});
  CHECK(KnownOf("(?i)disk full") == Known{false, {{"~di", "~ full"}}});
  CHECK(KnownOf("blk_-?[0-9]*7777[0-9]*") == Known{false, {{"blk_", "7777"}}});
  CHECK(KnownOf("ab+c") == Known{false, {{"ab", "c"}}});
  CHECK(KnownOf("a|bc") == Known{true, {{"a"}, {"bc"}}});
  CHECK(KnownOf("(?:a)|(?:(?s)b.c)") == Known{false, {{"a"}, {"b", "c"}}});
  CHECK(KnownOf("^GET$") == Known{false, {{"GET"}}});
  CHECK(KnownOf("x\\.y\\d") == Known{false, {{"x.y"}}});
  for (const char* unknown :
       {"[0-9]+", "a?", "a|", "\\Qa\\E", "(?-i)a", "a{2", "a**", "(a", "a)"}) {
    CAPTURE(unknown);
    CHECK(KnownOf(unknown) == Known{});
  }
}

}  // namespace
}  // namespace dunlin::store
