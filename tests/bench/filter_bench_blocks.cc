#include "tests/bench/filter_bench_blocks.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <unordered_set>

#include "collector/store/lines/lines_reader.h"
#include "protocol/base/checksum.h"
#include "tests/bench/fuse_filter.h"

namespace dunlin::store::filter_bench {
namespace {

/// A frame of columns ends at the first of them that reaches this.
constexpr std::size_t kFrameBytes = 65536;
/// A token filter has keys of values of at least this length.
constexpr std::size_t kShortestToken = 4;

bool IsWordByte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Source SourceOf(const ValueColumnInfo& info, bool rest) {
  switch (info.kind) {
    case ValueKind::kConstant:
      return kFixed;
    case ValueKind::kNumber:
    case ValueKind::kDelta:
      return info.most_bytes >= 10 ? kWideNumbers : kNumbers;
    case ValueKind::kHex:
      return rest ? kRest : kHexIds;
    case ValueKind::kDictionary:
      return rest ? kRest : kRepeated;
    case ValueKind::kBytes:
      return rest ? kRest : kOtherIds;
  }
  return kFixed;
}

}  // namespace

void Die(const char* why) {
  std::fprintf(stderr, "filter_bench: %s\n", why);
  std::exit(1);
}

double CpuNow() {
  std::timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

std::string Folded(std::string_view text) {
  std::string folded(text);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return folded;
}

std::vector<std::string_view> WordsOf(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    while (end < text.size() && IsWordByte(text[end])) ++end;
    if (end > begin) words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

void SortOut(Keys& keys) {
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
}

std::string_view ValueOf(const ValueColumn& column, std::uint32_t row, std::string& room) {
  room.resize(column.info().most_bytes + 1);
  const char* end = column.Write(row, room.data());
  return {room.data(), static_cast<std::size_t>(end - room.data())};
}

void AppendKeys(std::string_view token, Mode mode, Keys& keys) {
  if (mode == kToken) {
    if (token.size() >= kShortestToken) keys.push_back(Checksum(token));
    return;
  }
  for (std::size_t i = 0; i + mode <= token.size(); ++i) {
    keys.push_back(Checksum(token.substr(i, mode)));
  }
}

void Blocks::Add(std::string_view text) {
  std::vector<TextRange> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end - at)});
    at = end + 1;
  }
  EncodedLines encoded;
  LinesWriter(dictionary_).Encode(text, lines, encoded);
  Block& block = *blocks.emplace_back(std::make_unique<Block>());
  block.text = text;
  block.layout = encoded.layout;
  Compress(encoded, block);
  ReadLayout(block);
  CollectKeys(encoded.values, block);
  double begin = CpuNow();
  grams_.Clear();
  grams_.Add(text);
  collect_seconds += CpuNow() - begin;
  begin = CpuNow();
  for (std::size_t part : kParts) {
    block.line_grams[part] = grams_.Encode(block.stored_bytes / part);
  }
  gram_encode_seconds += (CpuNow() - begin) / Double(kParts.size());
  MeasureOpen(encoded, lines.size(), block);
}

/// What it takes to know the templates and stamps of a block that is not in memory.
void Blocks::MeasureOpen(const EncodedLines& encoded, std::size_t lines, const Block& block) {
  std::string layout, groups, raw_layout, raw_groups;
  compressor_.Append(layout, encoded.layout, level_);
  compressor_.Append(groups, encoded.groups, level_);
  const auto templates = TemplateDictionary::Decode(dictionary_.Encode());
  const double begin = CpuNow();
  if (!Decompress(layout, encoded.layout.size(), raw_layout) ||
      !Decompress(groups, encoded.groups.size(), raw_groups) ||
      !LinesReader::Open(raw_layout, raw_groups, *templates, static_cast<std::uint32_t>(lines))) {
    Die("lines");
  }
  open_seconds += CpuNow() - begin;
  layout_bytes += block.layout.size();
  stored_layout_bytes += layout.size();
}

void Blocks::Compress(const EncodedLines& encoded, Block& block) {
  std::string small;
  compressor_.Append(small, encoded.layout, level_);
  compressor_.Append(small, encoded.groups, level_);
  block.stored_bytes = small.size();
  std::size_t begin = 0;
  for (std::size_t end : encoded.column_ends) {
    if (end - begin < kFrameBytes && end != encoded.values.size()) continue;
    const std::string_view raw = std::string_view(encoded.values).substr(begin, end - begin);
    Frame& frame = block.frames.emplace_back();
    compressor_.Append(frame.bytes, raw, level_);
    frame.raw_bytes = raw.size();
    block.stored_bytes += frame.bytes.size();
    begin = end;
  }
}

void Blocks::ReadColumns(ByteReader& layout, std::uint64_t count, std::uint32_t rows,
                         bool rest_last, Block& block, std::vector<std::size_t>& numbers) {
  for (std::uint64_t i = 0; i < count; ++i) {
    auto info = ReadValueColumnInfo(layout, rows);
    if (!info) Die("layout");
    numbers.push_back(block.columns.size());
    block.columns.push_back(
        {*info, rows, frame_, at_, SourceOf(*info, rest_last && i + 1 == count)});
    at_ += info->area_bytes;
    if (at_ == block.frames[frame_].raw_bytes && frame_ + 1 < block.frames.size()) {
      at_ = 0;
      ++frame_;
    }
  }
}

void Blocks::ReadLayout(Block& block) {
  at_ = frame_ = 0;
  ByteReader layout(block.layout);
  auto number = [&layout] { return static_cast<std::uint32_t>(layout.ReadVarint().value_or(0)); };
  std::vector<std::vector<std::size_t>> prefixes(number());
  for (auto& columns : prefixes) {
    const std::uint32_t rows = number();
    ReadColumns(layout, number(), rows, false, block, columns);
  }
  block.groups.resize(number());
  for (Group& group : block.groups) {
    const std::string_view text = dictionary_[number()];
    if (const std::uint32_t prefix = number(); prefix > 0) group.columns = prefixes[prefix - 1];
    const std::uint32_t rows = number();
    ReadColumns(layout, SlotsOf(text).value_or(0) - group.columns.size(), rows,
                !text.empty() && text.back() == kTextSlot, block, group.columns);
    std::size_t begin = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (text[at] != kValueSlot && text[at] != kTextSlot) continue;
      group.fixed.push_back(text.substr(begin, at - begin));
      begin = at + 1;
    }
    group.fixed.push_back(text.substr(begin));
  }
  if (!layout.empty()) Die("bytes behind the layout");
}

void Blocks::CollectKeys(std::string_view values, Block& block) {
  std::array<std::unordered_set<std::string>, kSources> tokens;
  std::string room;
  for (const Column& column : block.columns) {
    const std::string_view area = values.substr(0, column.info.area_bytes);
    values.remove_prefix(area.size());
    if (column.source == kFixed) continue;
    const auto reader = ValueColumn::Make(column.info, area, column.rows);
    if (!reader) Die("column");
    block.source_bytes[column.source] += area.size();
    for (std::uint32_t row = 0; row < column.rows; ++row) {
      const std::string_view value = ValueOf(*reader, row, room);
      if (column.source == kRest) {
        const std::string folded = Folded(value);
        for (std::string_view word : WordsOf(folded)) tokens[kRest].emplace(word);
        continue;
      }
      tokens[column.source].insert(Folded(value));
      if (value.size() >= 16 && random_() % 1000 == 0) sample.emplace_back(value);
    }
  }
  for (std::size_t source = 0; source < kSources; ++source) {
    for (Mode mode : kModes) {
      Keys& keys = block.keys[source][mode];
      for (const std::string& token : tokens[source]) AppendKeys(token, mode, keys);
      SortOut(keys);
      const double begin = CpuNow();
      block.filters[source][mode] = FuseFilter::Encode(keys);
      build_seconds[mode] += CpuNow() - begin;
      built[mode] += keys.size();
    }
  }
}

}  // namespace dunlin::store::filter_bench
