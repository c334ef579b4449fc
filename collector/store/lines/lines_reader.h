#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/lines/literal_search.h"
#include "collector/store/lines/value_column.h"
#include "protocol/base/result.h"

namespace dunlin::store {

/// The lines of a block, from its columns. Any thread once values are set.
class LinesReader {
 public:
  /// What LinesWriter wrote for `rows` lines; `templates` is the dictionary that it numbered them
  /// with. All given outlive the reader. Errors: kCorruption.
  static Result<LinesReader> Open(std::string_view layout, std::string_view groups,
                                  std::span<const std::string> templates, std::uint32_t rows);

  /// Bytes of all columns together.
  std::uint64_t value_bytes() const { return value_bytes_; }
  /// The columns' bytes, one after the other. Errors: kCorruption.
  Result<void> SetValues(std::string_view values);

  /// Appends every line with a newline behind it: `bytes` in all. Needs SetValues. Errors:
  /// kCorruption.
  Result<void> AppendLines(std::uint64_t bytes, std::string& out) const;

  /// In which lines of each group the literal occurs, as far as it can be told without values.
  std::vector<LiteralOutcome> Examine(const LiteralSearch& search) const;
  /// Appends the rows of the lines in which the literal occurs, in order. `outcomes` are those of
  /// Examine. Needs SetValues unless all are kNever or kAlways.
  void Select(const LiteralSearch& search, std::span<const LiteralOutcome> outcomes,
              std::vector<std::uint32_t>& rows) const;

 private:
  /// Columns of a group or a prefix, one for each slot.
  struct Columns {
    std::uint32_t rows = 0;
    std::vector<ValueColumnInfo> infos;
    std::vector<ValueColumn> columns;
  };
  struct Group {
    std::string_view text;     // of its template
    std::uint32_t prefix = 0;  // number + 1
    Columns own;
    std::vector<std::string_view> fixed;  // in front of each slot, and behind the last
    std::uint64_t most_bytes = 0;         // of a line, without its newline
  };

  bool ReadColumns(ByteReader& layout, std::uint64_t slots, Columns& columns);
  bool ReadPrefixes(ByteReader& layout);
  bool ReadGroup(ByteReader& layout, std::span<const std::string> templates);
  bool CheckRows() const;
  TemplateView ViewOf(const Group& group, std::vector<const ValueColumnInfo*>& slots) const;
  void Mark(const LiteralSearch& search, std::uint32_t group, const LiteralOutcome& outcome,
            std::vector<bool>& marks) const;
  std::vector<std::uint32_t> PlacesInPrefix(std::uint32_t group) const;
  std::uint32_t GroupOf(std::uint32_t row) const;

  std::string_view group_of_rows_;
  std::uint32_t rows_ = 0;
  std::vector<Columns> prefixes_;
  std::vector<Group> groups_;
  std::uint64_t value_bytes_ = 0;
};

}  // namespace dunlin::store
