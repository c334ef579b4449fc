#include "collector/store/lines/lines_reader.h"
#include "collector/store/lines/lines_writer.h"
#include "protocol/base/check.h"
#include "tests/fuzz/fuzz_input.h"

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
  auto reader = LinesReader::Open(encoded.layout, encoded.groups, *templates,
                                  static_cast<std::uint32_t>(lines.size()));
  Check(reader.has_value(), "what was encoded opens");
  Check(reader->SetValues(encoded.values).has_value(), "with its values");
  std::string back;
  Check(reader->AppendLines(text.size(), back).has_value() && back == text, "the same lines");
  const std::string literal = text.substr(lines[0].offset, std::min(lines[0].bytes, 9U));
  if (literal.empty()) return;
  const LiteralSearch search(literal, /*any_case=*/false);
  std::vector<std::uint32_t> rows;
  reader->Select(search, reader->Examine(search), rows);
  std::size_t next = 0;
  for (std::uint32_t row = 0; row < lines.size(); ++row) {
    const bool holds =
        text.substr(lines[row].offset, lines[row].bytes).find(literal) != std::string::npos;
    const bool found = next < rows.size() && rows[next] == row;
    Check(holds == found, "the literal is found where it is");
    if (found) ++next;
  }
}

/// Whatever the columns are, reading them ends.
void TryColumns(FuzzInput& input) {
  static const std::vector<std::string> templates = {"\1", std::string("a \0 b \0", 7),
                                                     std::string("\0", 1), ""};
  const std::uint32_t rows = 1 + input.Byte();
  const std::string layout(input.Take(input.Byte()));
  const std::string groups(input.Take(rows));
  const std::string values(input.rest());
  auto reader = LinesReader::Open(layout, groups, templates, rows);
  if (!reader || !reader->SetValues(values)) return;
  std::string back;
  if (reader->AppendLines(4096, back)) Check(back.size() == 4096, "as much as was asked for");
  const LiteralSearch search("a 1", /*any_case=*/true);
  std::vector<std::uint32_t> found;
  reader->Select(search, reader->Examine(search), found);
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
