#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collector/logql/parse.h"
#include "collector/logql/parser.h"
#include "protocol/base/text.h"
#include "tests/support/catch.h"

namespace dunlin::logql {
namespace {

/// The code in the first two cells of a table's row; a cell without code is empty.
using Row = std::pair<std::string, std::string>;

std::string CodeOf(std::string_view cell) {
  std::size_t first = cell.find('`');
  std::size_t last = cell.rfind('`');
  if (first == std::string_view::npos || first == last) return {};
  return std::string(cell.substr(first + 1, last - first - 1));
}

/// Cells are separated by | and write their own | as \|.
Row CellsOf(std::string_view line) {
  std::vector<std::string> cells(1);
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '|') {
      cells.back().push_back(line[++i]);
    } else if (line[i] == '|') {
      cells.emplace_back();
    } else {
      cells.back().push_back(line[i]);
    }
  }
  REQUIRE(cells.size() >= 3);
  return {CodeOf(cells[1]), CodeOf(cells[2])};
}

/// The rows with code of all tables below the heading `## section`.
std::vector<Row> Rows(std::string_view section) {
  std::ifstream in(DUNLIN_LOGQL_DOCUMENT);
  std::vector<Row> rows;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("## ")) inside = line == Join("## ", section);
    if (!inside || !line.starts_with("|")) continue;
    Row row = CellsOf(line);
    if (!row.first.empty()) rows.push_back(std::move(row));
  }
  return rows;
}

TEST_CASE("what the document offers is parsed", "[logql][docs]") {
  auto rows = Rows("Offered");
  CHECK(rows.size() > 20);
  for (const auto& [example, meaning] : rows) {
    auto query = Parse(example);
    INFO(example << (query ? "" : ": " + query.error().message()));
    CHECK(query);
  }
}

TEST_CASE("what the document says is not offered is refused by its name", "[logql][docs]") {
  auto rows = Rows("Not offered");
  CHECK(rows.size() > 30);
  for (const auto& [construct, example] : rows) {
    CAPTURE(construct, example);
    auto query = Parse(example);
    REQUIRE_FALSE(query);
    CHECK(query.error().code() == ErrorCode::kUnsupported);
    CHECK(query.error().message().ends_with(": unsupported: " + construct));
  }
}

TEST_CASE("the document speaks of every keyword", "[logql][docs]") {
  std::set<std::string> refused;
  for (const Row& row : Rows("Not offered")) refused.insert(row.first);
  std::string offered;
  for (const Row& row : Rows("Offered")) offered += " " + row.first;
  for (const auto* keywords : {&kStageKeywords, &kFunctionKeywords}) {
    for (const Keyword& keyword : *keywords) {
      CAPTURE(keyword.word);
      CHECK(refused.contains(std::string(keyword.word)) == !keyword.supported);
      if (keyword.supported) CHECK(offered.find(keyword.word) != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace dunlin::logql
