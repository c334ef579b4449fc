#include "collector/store/lines/lines_reader.h"
#include "collector/store/lines/lines_writer.h"
#include "protocol/base/check.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/string_values.h"

namespace dunlin::store {
namespace {

/// Any lines come back, and a literal is found where it is.
void TryLines(std::string_view input) {
  std::string text(input);
  text.push_back('\n');
  std::vector<TextRange> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end - at)});
    at = end + 1;
  }
  TemplateDictionary dictionary;
  EncodedLines encoded;
  LinesWriter(dictionary).Encode(text, lines, encoded);
  auto templates = TemplateDictionary::Decode(dictionary.Encode());
  Check(templates.has_value(), "templates come back");
  testing::StringValues values(encoded.values);
  auto reader = LinesReader::Open(encoded.layout, encoded.templates, encoded.groups,
                                  static_cast<std::uint32_t>(lines.size()), *templates, values);
  Check(reader.has_value(), "what was encoded opens");
  std::string back;
  std::vector<std::uint32_t> ends;
  Check(reader->AppendLines(text.size(), back, ends).has_value() && back == text, "the same lines");
  const std::string literal = text.substr(lines[0].offset, std::min(lines[0].bytes, 9U));
  if (literal.empty()) return;
  const LiteralSearch search(literal, /*any_case=*/false);
  RowMarks marks(lines.size());
  const std::vector<std::uint8_t> all_groups(reader->groups(), 1);
  auto outcomes = reader->Examine(search, std::vector<std::uint8_t>(reader->groups(), 1));
  Check(outcomes && reader->Mark(search, *outcomes, all_groups, marks), "columns are read");
  for (std::uint32_t row = 0; row < lines.size(); ++row) {
    const bool holds =
        text.substr(lines[row].offset, lines[row].bytes).find(literal) != std::string::npos;
    Check(holds == (marks[row] != 0), "the literal is found where it is");
  }
}

/// Whatever the columns are, reading them ends.
void TryColumns(FuzzInput& input) {
  static const std::vector<std::string> templates = {"\1", std::string("a \0 b \0", 7),
                                                     std::string("\0", 1), ""};
  const std::uint32_t rows = 1 + input.Byte();
  const std::string layout(input.Take(input.Byte()));
  const std::string groups(input.Take(rows));
  std::vector<std::uint32_t> numbers;
  for (std::size_t count = input.Byte() % 8; count > 0; --count)
    numbers.push_back(input.Byte() % 5);
  const std::string bytes(input.rest());
  testing::StringValues values(bytes);
  auto reader = LinesReader::Open(layout, numbers, groups, rows, templates, values);
  if (!reader) return;
  const LiteralSearch search("a 1", /*any_case=*/true);
  RowMarks marks(rows);
  const std::vector<std::uint8_t> all_groups(reader->groups(), 1);
  auto outcomes = reader->Examine(search, std::vector<std::uint8_t>(reader->groups(), 1));
  [[maybe_unused]] bool marked =
      outcomes && reader->Mark(search, *outcomes, all_groups, marks).has_value();
  std::string back;
  std::vector<std::uint32_t> ends;
  if (reader->AppendLines(4096, back, ends)) {
    Check(back.size() == 4096 && ends.size() == rows, "as much as was asked for");
  }
}

}  // namespace
}  // namespace dunlin::store

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dunlin::FuzzInput input(data, size);
  if (input.Byte() % 2 == 0) {
    dunlin::store::TryLines(input.rest());
  } else {
    dunlin::store::TryColumns(input);
  }
  return 0;
}
