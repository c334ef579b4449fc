// Blocks of lines as columns, with the filters that filter_bench compares.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/compression.h"
#include "collector/store/gram_filter.h"
#include "collector/store/lines/lines_writer.h"
#include "collector/store/lines/template_dictionary.h"

namespace dunlin::store::filter_bench {

[[noreturn]] void Die(const char* why);

inline double Double(std::size_t number) { return static_cast<double>(number); }

/// CPU seconds of this process, finer than CpuSeconds().
double CpuNow();

/// With ASCII letters in lower case.
std::string Folded(std::string_view text);
/// Runs of ASCII letters and digits.
std::vector<std::string_view> WordsOf(std::string_view text);

/// What lies in a column.
enum Source : std::uint8_t { kHexIds, kOtherIds, kRepeated, kWideNumbers, kNumbers, kRest, kFixed };
inline constexpr std::size_t kSources = kFixed;

/// Keys of a filter: whole tokens, or all their parts of so many bytes.
enum Mode : std::uint8_t { kNone = 0, kToken = 1, kGrams4 = 4, kGrams6 = 6 };
inline constexpr std::array kModes = {kToken, kGrams4, kGrams6};

/// Filters of the grams of lines take one in so many of the bytes of the block.
inline constexpr std::array<std::size_t, 4> kParts = {64, 48, 32, 16};

using Keys = std::vector<std::uint64_t>;

struct Column {
  ValueColumnInfo info;
  std::uint32_t rows = 0;
  std::size_t frame = 0;
  std::size_t begin = 0;  // in its frame
  Source source = kFixed;
};

struct Group {
  std::vector<std::string_view> fixed;
  std::vector<std::size_t> columns;  // of its prefix, and its own
};

struct Frame {
  std::string bytes;
  std::size_t raw_bytes = 0;
};

struct Block {
  std::string text;
  std::string layout;
  std::size_t stored_bytes = 0;
  std::vector<Column> columns;
  std::vector<Group> groups;
  std::vector<Frame> frames;
  std::array<std::size_t, kSources> source_bytes{};  // before compression
  std::array<std::map<Mode, Keys>, kSources> keys;
  std::array<std::map<Mode, std::string>, kSources> filters;
  std::map<std::size_t, std::string> line_grams;  // by the part of stored_bytes that they may take
};

/// Sorts and leaves each once.
void SortOut(Keys& keys);
/// The keys of one token.
void AppendKeys(std::string_view token, Mode mode, Keys& keys);
/// Written into `room`.
std::string_view ValueOf(const ValueColumn& column, std::uint32_t row, std::string& room);

class Blocks {
 public:
  explicit Blocks(int level) : level_(level) {}

  /// Whole lines.
  void Add(std::string_view text);

  std::vector<std::unique_ptr<Block>> blocks;
  std::vector<std::string> sample;  // values that occur
  std::map<Mode, double> build_seconds;
  std::map<Mode, std::size_t> built;
  double collect_seconds = 0, gram_encode_seconds = 0, open_seconds = 0;
  std::size_t layout_bytes = 0, stored_layout_bytes = 0;

 private:
  void MeasureOpen(const EncodedLines& encoded, std::size_t lines, const Block& block);
  void Compress(const EncodedLines& encoded, Block& block);
  void ReadColumns(ByteReader& layout, std::uint64_t count, std::uint32_t rows, bool rest_last,
                   Block& block, std::vector<std::size_t>& numbers);
  void ReadLayout(Block& block);
  void CollectKeys(std::string_view values, Block& block);

  int level_;
  TemplateDictionary dictionary_;
  Compressor compressor_;
  GramCollector grams_;
  std::mt19937_64 random_{1};
  std::size_t at_ = 0, frame_ = 0;
};

}  // namespace dunlin::store::filter_bench
