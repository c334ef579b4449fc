#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/lines/line_cutter.h"
#include "collector/store/lines/shared_prefixes.h"
#include "collector/store/lines/template_dictionary.h"
#include "collector/store/lines/value_column_writer.h"

namespace dunlin::store {

/// The lines of a block as columns (docs/segment-format.md, "Lines"), not compressed yet.
struct EncodedLines {
  std::string layout;                    // groups, and what is known of each column
  std::vector<std::uint32_t> templates;  // of each group, in the dictionary
  std::string groups;                    // which group each line is in
  std::string values;                    // the columns' bytes, stream by stream
  std::vector<std::size_t> frame_ends;   // in `values`: what to compress by itself
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
    std::string_view text() const { return {padded.data(), padded.size() - kTemplatePadding}; }

    std::string padded;
    std::uint32_t slots = 0;  // the text slot among them
    bool has_rest = false;
    std::uint32_t rows = 0;
    std::uint32_t group = 0;
  };
  struct KnownHash {
    std::uint64_t hash = 0;
    std::uint32_t number = 0;  // + 1
  };
  struct Group {
    std::string_view text;        // of its template
    std::uint32_t prefix = 0;     // number + 1
    std::uint32_t own_slots = 0;  // behind those of the prefix
    std::uint32_t rows = 0;
    bool whole = false;  // the only own slot is the rest of the line
  };

  void CutLines(std::span<const TextRange> lines);
  bool CutLines(std::span<const TextRange> lines, std::size_t most_values);
  std::vector<TemplateUse> Uses() const;
  std::uint32_t Find(TextRange line, const LineCut& cut, std::span<const CutValue> values);
  void GrowTable();
  void FormGroups();
  void AppendGroupsOfRows(EncodedLines& out) const;
  void AppendPrefixes(EncodedLines& out);
  void AppendGroup(const Group& group, std::span<const std::uint32_t> rows,
                   std::span<const TextRange> lines, EncodedLines& out);
  void AppendColumn(std::span<const CutValue> values);
  /// Around the columns of a prefix or a group; the end says where they are and sums them up.
  void BeginColumns();
  void EndColumns(EncodedLines& out);
  void GatherColumns(std::span<const std::uint32_t> rows, std::uint32_t first_slot,
                     std::uint32_t slots);
  void GatherRests(std::span<const std::uint32_t> rows, std::span<const TextRange> lines,
                   std::uint32_t shared);
  std::vector<std::uint32_t> RowsByGroup(std::vector<std::uint32_t>& begins) const;

  TemplateDictionary& dictionary_;
  LineCutter cutter_;
  ValueColumnWriter columns_;
  ValueStreams streams_;

  std::string_view text_;
  std::vector<Template> templates_;
  std::vector<KnownHash> table_;  // open addressing
  SharedPrefixes prefixes_;
  std::vector<std::string> whole_texts_;  // of templates of groups of whole lines
  std::vector<Group> groups_;
  std::unique_ptr<CutValue[]> values_;  // of all rows
  std::size_t values_room_ = 0;
  std::vector<std::uint32_t> template_of_;     // each row
  std::vector<std::uint32_t> first_value_of_;  // each row
  std::vector<CutValue> columns_values_;       // of a group or prefix, column after column
  std::string infos_;  // what is known of each column, for the end of the layout
  std::size_t infos_begin_ = 0;
  ValueSummary summary_;
};

}  // namespace dunlin::store
