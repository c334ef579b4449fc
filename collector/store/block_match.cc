#include "collector/store/block_match.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string>

namespace dunlin::store {
namespace {

/// When fewer than one line in so many is asked for, making those alone beats making all.
constexpr std::uint64_t kSparseOneIn = 4;

/// False when the block's filter says that no line matches.
Result<bool> MayMatch(const BlockReader& block, const LineMatcher& matcher) {
  if (!matcher.knows_grams()) return true;
  auto filter = block.ReadGrams();
  if (!filter) return std::move(filter).error();
  if (!*filter) return true;
  auto grams = GramFilter::Open(**filter);
  if (!grams) return std::move(grams).error();
  for (std::size_t i = 0; i < matcher.filters(); ++i) {
    if (!matcher.negated(i) && !MayHold(matcher.literals(i), *grams)) return false;
  }
  return true;
}

bool InColumns(const BlockReader& block) { return block.info().form() == BlockForm::kColumns; }

}  // namespace

Result<void> SelectMatching(BlockReader& block, const LineMatcher& matcher, RowRange range,
                            std::vector<std::uint32_t>& rows) {
  if (InColumns(block)) {
    auto possible = MayMatch(block, matcher);
    if (!possible) return std::move(possible).error();
    if (!*possible) return {};
    if (auto done = block.LoadLines(); !done) return done;
    const std::uint64_t bytes = block.info().line_bytes + block.info().rows;
    return SelectInColumns(matcher, block.lines(), range, bytes, rows);
  }
  if (auto done = block.LoadText(); !done) return done;
  Result<void> ends_loaded;
  std::function<const std::vector<std::uint32_t>&()> ends =
      [&]() -> const std::vector<std::uint32_t>& {
    ends_loaded = block.LoadEnds();
    return block.ends();
  };
  matcher.Select(block.text(), block.newline_inside(), ends, rows);
  std::erase_if(rows, [&](std::uint32_t row) { return row < range.first || row >= range.end; });
  return ends_loaded;
}

Result<void> KeepMatching(BlockReader& block, const LineMatcher& matcher,
                          std::vector<std::uint32_t>& rows) {
  if (rows.empty()) return {};
  if (InColumns(block)) {
    // Most lines are ruled out by their templates, which costs the same for one as for all.
    std::vector<std::uint32_t> matching;
    auto done = SelectMatching(block, matcher, {rows.front(), rows.back() + 1}, matching);
    if (!done) return done;
    std::vector<std::uint32_t> both;
    std::set_intersection(rows.begin(), rows.end(), matching.begin(), matching.end(),
                          std::back_inserter(both));
    rows = std::move(both);
    return {};
  }
  if (auto done = block.LoadText(); !done) return done;
  if (auto done = block.LoadEnds(); !done) return done;
  RowColumns columns = block.columns();
  std::erase_if(rows, [&](std::uint32_t row) { return !matcher.Matches(columns.Line(row)); });
  return {};
}

Result<void> LoadLengths(BlockReader& block, const std::vector<std::uint32_t>& rows,
                         std::vector<std::uint32_t>& lengths) {
  lengths.reserve(rows.size());
  if (InColumns(block) && rows.size() * kSparseOneIn < block.info().rows) {
    if (auto done = block.LoadLines(); !done) return done;
    std::string text;
    std::vector<std::uint32_t> ends;
    if (auto done = block.lines().AppendRows(rows, text, ends); !done) return done;
    std::uint32_t begin = 0;
    for (std::uint32_t end : ends) {
      lengths.push_back(end - begin);
      begin = end + 1;
    }
    return {};
  }
  if (auto done = block.LoadText(); !done) return done;
  if (auto done = block.LoadEnds(); !done) return done;
  RowColumns columns = block.columns();
  for (std::uint32_t row : rows) lengths.push_back(columns.ends[row] - columns.LineStart(row));
  return {};
}

}  // namespace dunlin::store
