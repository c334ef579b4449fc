// What filters of tokens would save a search for ids, and what they cost: for blocks cut from a
// file, how many columns have to be read for a literal with templates and stamps alone, and with
// filters of the values, or of parts of the values, of some of the columns.
//
//   filter_bench FILE [BLOCK_BYTES [MOST_BLOCKS [LEVEL]]]
#include <array>
#include <bit>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/text.h"
#include "tests/bench/filter_bench_blocks.h"
#include "tests/bench/filter_bench_queries.h"
#include "tests/bench/fuse_filter.h"

namespace dunlin::store::filter_bench {
namespace {

constexpr std::array<const char*, kSources> kSourceNames = {
    "hex", "bytes", "dictionary", "numbers of >= 10 digits", "other numbers", "rest of the line"};

/// All bits of a key in one line of the cache.
class BlockedBloom {
 public:
  BlockedBloom(const Keys& keys, std::size_t bits_of_key, unsigned probes)
      : lines_(keys.size() * bits_of_key / 512 + 1), probes_(probes) {
    for (std::uint64_t key : keys) {
      for (unsigned i = 0; i < probes_; ++i) Line(key)[Bit(key, i) / 64] |= Mask(key, i);
    }
  }
  bool MayContain(std::uint64_t key) {
    for (unsigned i = 0; i < probes_; ++i) {
      if ((Line(key)[Bit(key, i) / 64] & Mask(key, i)) == 0) return false;
    }
    return true;
  }
  std::size_t bytes() const { return lines_.size() * 64; }

 private:
  using CacheLine = std::array<std::uint64_t, 8>;
  CacheLine& Line(std::uint64_t key) { return lines_[(key >> 32) * lines_.size() >> 32]; }
  static std::size_t Bit(std::uint64_t key, unsigned i) {
    return (key * 0x9E3779B97F4A7C15 >> (i * 9 % 54)) & 511;
  }
  static std::uint64_t Mask(std::uint64_t key, unsigned i) {
    return std::uint64_t{1} << (Bit(key, i) % 64);
  }
  std::vector<CacheLine> lines_;
  unsigned probes_;
};

void PrintKeys(const Blocks& all) {
  std::size_t text = 0, stored = 0, groups = 0;
  for (const auto& block : all.blocks) {
    text += block->text.size();
    stored += block->stored_bytes;
    groups += block->groups.size();
  }
  const double blocks = Double(all.blocks.size());
  std::printf("%.0f blocks, %zu bytes of text, stored in %zu; %.0f groups a block\n", blocks, text,
              stored, Double(groups) / blocks);
  std::printf("\n%-24s %7s %7s", "of a block", "columns", "% text");
  for (Mode mode : kModes) {
    std::printf(mode == kToken ? "  tokens" : " %d-grams", mode);
    std::printf("  %% text");
  }
  std::printf("\n");
  for (std::size_t source = 0; source < kSources; ++source) {
    std::size_t bytes = 0, columns = 0;
    std::map<Mode, std::size_t> keys, filters;
    for (const auto& block : all.blocks) {
      bytes += block->source_bytes[source];
      for (const Column& column : block->columns) columns += column.source == source;
      for (const auto& [mode, of_mode] : block->keys[source]) keys[mode] += of_mode.size();
      for (const auto& [mode, filter] : block->filters[source]) filters[mode] += filter.size();
    }
    std::printf("%-24s %7.0f %7.2f", kSourceNames[source], Double(columns) / blocks,
                100 * Double(bytes) / Double(text));
    for (Mode mode : kModes) {
      std::printf(" %7.0f %7.3f", Double(keys[mode]) / blocks,
                  100 * Double(filters[mode]) / Double(text));
    }
    std::printf("\n");
  }
}

void PrintLineGrams(const Blocks& all) {
  std::size_t text = 0, stored = 0;
  for (const auto& block : all.blocks) {
    text += block->text.size();
    stored += block->stored_bytes;
  }
  std::printf("\ngrams of lines: collected in %.2f ns a byte of text, encoded in %.2f ms a block\n",
              1e9 * all.collect_seconds / Double(text),
              1000 * all.gram_encode_seconds / Double(all.blocks.size()));
  for (std::size_t part : kParts) {
    std::size_t bytes = 0, set = 0;
    for (const auto& block : all.blocks) {
      const std::string& filter = block->line_grams.at(part);
      bytes += filter.size();
      for (char c : filter)
        set += static_cast<std::size_t>(std::popcount(static_cast<unsigned char>(c)));
    }
    std::printf(
        "  1/%-3zu %9zu bytes, %.3f %% of text, %.2f %% of what is stored; %.2f of bits set\n",
        part, bytes, 100 * Double(bytes) / Double(text), 100 * Double(bytes) / Double(stored),
        Double(set) / Double(bytes) / 8);
  }
  std::printf("blocks left of those that do not hold one of 1000 literals:\n");
  for (const Needles& needles : MakeNeedles(all.sample, 1000)) {
    if (std::string_view(needles.kind).find("absent") == std::string_view::npos) continue;
    std::printf("  %-24s", needles.kind);
    for (std::size_t part : kParts) {
      std::size_t left = 0;
      for (const std::string& literal : needles.literals) {
        const LiteralGrams grams(literal);
        for (const auto& block : all.blocks) {
          left += GramFilter::Open(block->line_grams.at(part)).value().MayContain(grams);
        }
      }
      std::printf("  1/%zu %5.1f %%", part,
                  100 * Double(left) / Double(needles.literals.size() * all.blocks.size()));
    }
    std::printf("\n");
  }
  std::printf("opening a block: layout of %.0f bytes (%.0f stored), %.2f ms\n",
              Double(all.layout_bytes) / Double(all.blocks.size()),
              Double(all.stored_layout_bytes) / Double(all.blocks.size()),
              1000 * all.open_seconds / Double(all.blocks.size()));
}

/// Kinds of filters over the same keys, and one map from tokens to blocks instead of them.
void PrintKinds(const Blocks& all) {
  std::printf("\n%-24s %10s %10s %12s %12s\n", "kind", "bits a key", "false %", "build ns/key",
              "look-up ns");
  std::size_t sum = 0;
  Keys together;
  for (const auto& block : all.blocks) {
    Keys keys;
    for (const auto& of_source : block->keys) {
      const Keys& tokens = of_source.at(kToken);
      keys.insert(keys.end(), tokens.begin(), tokens.end());
    }
    SortOut(keys);
    sum += keys.size();
    together.insert(together.end(), keys.begin(), keys.end());
  }
  auto measure = [&](const char* name, auto make, auto bytes_of) {
    std::size_t bytes = 0, wrong = 0, looks = 0, count = 0;
    double build = 0, look = 0;
    std::mt19937_64 random(3);
    for (const auto& block : all.blocks) {
      Keys keys = block->keys[kRepeated].at(kToken);
      if (keys.empty()) continue;
      double begin = CpuNow();
      auto filter = make(keys);
      build += CpuNow() - begin;
      bytes += bytes_of(filter);
      count += keys.size();
      begin = CpuNow();
      for (int i = 0; i < 100000; ++i, ++looks) wrong += filter.MayContain(random());
      look += CpuNow() - begin;
    }
    if (count == 0) return;  // no column has a dictionary
    std::printf("%-24s %10.2f %10.3f %12.1f %12.1f\n", name, 8 * Double(bytes) / Double(count),
                100 * Double(wrong) / Double(looks), 1e9 * build / Double(count),
                1e9 * look / Double(looks));
  };
  std::string bytes;
  measure(
      "binary fuse, 8 bits",
      [&bytes](Keys& keys) {
        bytes = FuseFilter::Encode(keys);
        return std::move(FuseFilter::Open(bytes)).value();
      },
      [&bytes](const FuseFilter&) { return bytes.size(); });
  for (auto kind : {std::pair{10U, 6U}, std::pair{12U, 7U}}) {
    const std::string name = "blocked bloom, " + std::to_string(kind.first) + " bits";
    measure(
        name.c_str(), [&](Keys& keys) { return BlockedBloom(keys, kind.first, kind.second); },
        [](const BlockedBloom& bloom) { return bloom.bytes(); });
  }
  SortOut(together);
  std::size_t number_bits = 1;
  while (std::size_t{1} << number_bits < all.blocks.size()) ++number_bits;
  // A fingerprint and the number of a block for each token; of tokens of several blocks, the number
  // of a list of blocks, here with two bytes for each.
  const double map_bytes = 1.13 * Double(together.size()) * Double(8 + number_bits) / 8 +
                           2 * Double(sum - together.size());
  std::printf(
      "\ntokens of all columns: in filters of blocks %zu keys, %.0f bytes; in one map %zu "
      "keys, %.0f bytes\n",
      sum, 1.13 * Double(sum), together.size(), map_bytes);
}

int Main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: filter_bench FILE [BLOCK_BYTES [MOST_BLOCKS [LEVEL]]]\n");
    return 2;
  }
  auto number = [&](int i, std::size_t otherwise) {
    return argc > i ? ParseInteger<std::size_t>(argv[i]).value_or(otherwise) : otherwise;
  };
  const std::size_t block_bytes = number(2, 18'750'000);
  const std::size_t most_blocks = number(3, 32);
  Blocks all(static_cast<int>(number(4, 3)));
  std::FILE* file = std::fopen(argv[1], "rb");
  if (file == nullptr) Die("cannot open the file");
  std::string text;
  for (bool more = true; more && all.blocks.size() < most_blocks;) {
    const std::size_t have = text.size();
    text.resize(block_bytes);
    const std::size_t got = std::fread(text.data() + have, 1, block_bytes - have, file);
    text.resize(have + got);
    more = text.size() == block_bytes;
    if (!more && !text.empty() && text.back() != '\n') text.push_back('\n');
    const std::size_t end = text.rfind('\n') + 1;
    if (end > 0) all.Add(std::string_view(text).substr(0, end));
    text.erase(0, end);
  }
  std::fclose(file);
  if (all.sample.empty()) Die("no values");
  PrintKeys(all);
  for (Mode mode : kModes) {
    std::printf("filters of %s: built in %.0f ns a key\n",
                mode == kToken    ? "tokens"
                : mode == kGrams4 ? "4-grams"
                                  : "6-grams",
                1e9 * all.build_seconds[mode] / Double(all.built[mode]));
  }
  PrintKinds(all);
  PrintLineGrams(all);
  std::fflush(stdout);
  PrintQueries(all);
  return 0;
}

}  // namespace
}  // namespace dunlin::store::filter_bench

int main(int argc, char** argv) { return dunlin::store::filter_bench::Main(argc, argv); }
