#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/lines/line_cutter.h"
#include "collector/store/lines/shared_prefixes.h"
#include "collector/store/lines/template_dictionary.h"
#include "collector/store/lines/value_column.h"

namespace dunlin::store {

/// The lines of a block as columns (docs/segment-format.md, "Lines"), not compressed yet.
struct EncodedLines {
  std::string layout;                    // groups, and what is known of each column
  std::string groups;                    // which group each line is in
  std::string values;                    // the columns' bytes, one after the other
  std::vector<std::size_t> column_ends;  // in `values`
};

/// Turns lines into columns: lines of one template are a group, and each of its slots is a column.
/// Lines whose template is rare share a group in which they are whole. One thread.
class LinesWriter {
 public:
  /// Numbers templates beyond one block; outlives the writer.
  explicit LinesWriter(TemplateDictionary& dictionary) : dictionary_(dictionary) {}

  /// `lines` are parts of `text`, in order, not empty; `out` is replaced.
  void Encode(std::string_view text, std::span<const TextRange> lines, EncodedLines& out);

 private:
  struct Template {
    std::string text;
    std::uint64_t hash = 0;
    std::uint32_t slots = 0;
    std::uint32_t rows = 0;
    std::uint32_t group = 0;
  };
  struct Group {
    std::string_view text;        // of its template
    std::uint32_t prefix = 0;     // number + 1
    std::uint32_t own_slots = 0;  // behind those of the prefix
    std::uint32_t rows = 0;
    bool whole = false;  // the only own slot is the rest of the line
  };

  void CutLines(std::span<const TextRange> lines);
  std::uint32_t Find(std::string_view text, std::uint32_t slots);
  void GrowTable();
  void FormGroups();
  void AppendGroupsOfRows(EncodedLines& out) const;
  void AppendPrefixes(EncodedLines& out);
  void AppendGroup(const Group& group, std::span<const std::uint32_t> rows,
                   std::span<const TextRange> lines, EncodedLines& out);
  void AppendColumn(EncodedLines& out);
  std::vector<std::uint32_t> RowsByGroup(std::vector<std::uint32_t>& begins) const;

  TemplateDictionary& dictionary_;
  LineCutter cutter_;
  ValueColumnWriter columns_;

  std::string_view text_;
  std::deque<Template> templates_;
  std::vector<std::uint32_t> table_;  // open addressing: number + 1
  SharedPrefixes prefixes_;
  std::vector<std::string> whole_texts_;  // of templates of groups of whole lines
  std::vector<Group> groups_;
  std::vector<TextRange> values_;              // of all rows
  std::vector<std::uint32_t> template_of_;     // each row
  std::vector<std::uint32_t> first_value_of_;  // each row
  std::vector<std::string_view> column_;
};

}  // namespace dunlin::store
