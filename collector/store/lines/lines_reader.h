#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/lines/line_builder.h"
#include "collector/store/lines/literal_search.h"
#include "collector/store/lines/value_column.h"
#include "collector/store/lines/value_streams.h"
#include "protocol/base/result.h"

namespace dunlin::store {

/// Where a LinesReader gets the bytes of columns.
class ValueBytes {
 public:
  virtual ~ValueBytes() = default;
  /// `size` bytes from `offset` of what LinesWriter wrote as values; they stay where they are.
  /// Never across what EncodedLines::frame_ends says is the end of a frame. Errors: kCorruption,
  /// kIo.
  virtual Result<std::string_view> Read(std::uint64_t offset, std::uint64_t size) = 0;
};

/// One mark per row. 1: the row is meant, else 0.
using RowMarks = std::vector<std::uint8_t>;

/// The lines of a block, from its columns; columns are read when something needs them. One thread;
/// any thread once LoadAll has succeeded.
class LinesReader {
 public:
  /// `layout`, `numbers` (of templates in `dictionary`, one for each group) and `groups` are what
  /// LinesWriter wrote for `rows` lines. All given outlive the reader. Errors: kCorruption.
  static Result<LinesReader> Open(std::string_view layout, std::span<const std::uint32_t> numbers,
                                  std::string_view groups, std::uint32_t rows,
                                  std::span<const std::string> dictionary, ValueBytes& values);

  /// Bytes of all columns together, once one has been read.
  std::uint64_t value_bytes() const { return value_bytes_; }
  std::size_t groups() const { return groups_.size(); }
  std::uint32_t rows() const { return rows_; }
  /// Memory of what has been read of columns, without the bytes that ValueBytes holds.
  std::uint64_t memory_bytes() const;

  /// Reads whatever has not been read. Errors: kCorruption, kIo.
  Result<void> LoadAll();

  /// Appends every line with a newline behind it, `bytes` in all, and to `ends` where each line
  /// ends. Errors: kCorruption, kIo.
  Result<void> AppendLines(std::uint64_t bytes, std::string& out, std::vector<std::uint32_t>& ends);
  /// The same for some rows, in ascending order, of whatever length.
  Result<void> AppendRows(std::span<const std::uint32_t> rows, std::string& out,
                          std::vector<std::uint32_t>& ends);

  /// In which lines of each group the literal occurs, as far as it can be told without values;
  /// groups that are not `wanted` (one for each group, 1: wanted, else 0) are not looked at: kNever.
  /// Errors: kCorruption.
  Result<std::vector<LiteralOutcome>> Examine(const LiteralSearch& search,
                                              std::span<const std::uint8_t> wanted);
  /// Marks the rows of `wanted` groups (one for each group, 1: wanted, else 0) whose lines hold the
  /// literal. `outcomes` are those of Examine, `marks` one for each row. Reads the columns that
  /// outcomes name and no others. Errors: kCorruption, kIo.
  Result<void> Mark(const LiteralSearch& search, std::span<const LiteralOutcome> outcomes,
                    std::span<const std::uint8_t> wanted, RowMarks& marks);
  /// Marks all rows of `wanted` groups.
  Result<void> MarkGroups(std::span<const std::uint8_t> wanted, RowMarks& marks);

 private:
  /// A place in each stream.
  using StreamPlaces = std::array<std::uint64_t, kValueStreams>;

  /// Columns of a group or a prefix, one for each slot. What is known of each is read when one of
  /// them is asked for.
  struct Columns {
    std::uint32_t rows = 0;
    std::uint64_t infos_size = 0;
    std::string_view infos_bytes;
    std::string_view text;  // of a prefix: what its templates begin with
    ValueSummary summary;
    bool opened = false;
    std::vector<ValueColumnInfo> infos;
    StreamPlaces begins{};  // of the first column's parts, once values are placed
    std::vector<std::array<std::uint64_t, kMostValueParts>> offsets;  // of their parts
    std::vector<std::optional<ValueColumn>> columns;
  };
  struct Group {
    std::string_view text;     // of its template
    std::uint32_t prefix = 0;  // number + 1
    Columns own;
    std::vector<std::string_view> fixed;  // in front of each slot, and behind the last
    std::uint64_t most_bytes = 0;         // of a line, without its newline
  };

  bool ReadPrefixes(ByteReader& layout);
  bool ReadGroup(ByteReader& layout, std::uint32_t number);
  bool ReadColumns(ByteReader& layout, Columns& columns);
  bool PlaceInfos(std::string_view infos);
  Result<void> PlaceValues();
  void PlaceColumns(Columns& columns);
  Result<void> CheckRows();
  Result<void> OpenColumns(Columns& columns, std::uint32_t slots);
  /// Cuts the template of a group at its slots and opens its columns.
  Result<void> OpenGroup(std::uint32_t group);
  Result<void> Load(Columns& columns);
  void MakeBuilders(std::span<RowBuilder> of_prefixes, std::span<RowBuilder> of_groups,
                    std::string& texts) const;
  Result<void> LoadGroup(std::uint32_t group);
  /// The column of a slot of an open group, read if it has not been. Errors: kCorruption, kIo.
  Result<const ValueColumn*> ColumnOf(std::uint32_t group, std::uint32_t slot);
  Result<const ValueColumn*> Column(Columns& columns, std::size_t slot);
  bool MayBeInside(const LiteralSearch& search, const Group& group) const;
  TemplateView ViewOf(const Group& group, std::vector<const ValueColumnInfo*>& slots) const;
  Result<void> MarkInGroup(const LiteralSearch& search, std::uint32_t group,
                           const LiteralOutcome& outcome, RowMarks& marks);
  std::uint32_t SharedSlots(const Group& group) const {
    return group.prefix == 0 ? 0 : prefix_slots_[group.prefix - 1];
  }
  const std::vector<std::uint32_t>& PlacesInPrefix(std::uint32_t group);
  char* WriteLine(std::uint32_t group, std::uint32_t nth, std::uint32_t nth_of_prefix,
                  char* out) const;
  std::uint32_t GroupOf(std::uint32_t row) const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(group_of_rows_.data());
    return groups_.size() <= 256 ? bytes[row] : std::uint32_t{bytes[row]} << 8 | bytes[rows_ + row];
  }

  std::span<const std::string> dictionary_;
  std::span<const std::uint32_t> numbers_;
  std::string_view group_of_rows_;
  ValueBytes* values_ = nullptr;
  std::uint32_t rows_ = 0;
  bool rows_checked_ = false;
  bool placed_ = false;
  std::vector<Columns> prefixes_;
  std::vector<std::uint32_t> prefix_slots_;
  std::vector<Group> groups_;
  /// Of each group, once one is asked for: where in the columns of its prefix each line is.
  std::vector<std::vector<std::uint32_t>> places_in_prefix_;
  StreamPlaces stream_begins_{};
  std::uint64_t value_bytes_ = 0;
};

}  // namespace dunlin::store
