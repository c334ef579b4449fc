#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/lines/distinct_values.h"
#include "collector/store/lines/line_cutter.h"
#include "collector/store/lines/value_column.h"
#include "collector/store/lines/value_streams.h"

namespace dunlin::store {

/// Writes columns: what is known of one to a directory, its bytes to streams. One thread.
class ValueColumnWriter {
 public:
  /// `values` are of `text`, and not empty. Returns what a reader of the column will know, valid
  /// until the next call.
  const ValueColumnInfo& Append(std::string_view text, std::span<const CutValue> values,
                                std::string& directory, ValueStreams& streams);

 private:
  struct Survey {
    ValueForm most_form = ValueForm::kDecimal;
    bool same = true;
    std::size_t text_bytes = 0;
  };

  Survey Look(std::string_view text, std::span<const CutValue> values);
  bool ReadNumbers(std::span<const CutValue> values);
  bool ReadHex(std::string_view text, std::span<const CutValue> values);
  std::uint8_t ReadDeltas();
  std::size_t ChooseKind(std::string_view text, std::span<const CutValue> values,
                         const Survey& survey);
  void HashTexts(std::string_view text, std::span<const CutValue> values);
  void AppendHex(std::string_view text, std::span<const CutValue> values, std::string& area) const;
  void AppendTexts(std::string_view text, std::span<const CutValue> texts, std::string& area);

  ValueColumnInfo info_;
  std::string area_;
  std::vector<std::uint64_t> numbers_;
  std::vector<std::uint64_t> deltas_;
  DistinctValues distinct_;
};

}  // namespace dunlin::store
