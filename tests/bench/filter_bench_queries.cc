#include "tests/bench/filter_bench_queries.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>

#include "collector/store/lines/literal_search.h"
#include "tests/bench/fuse_filter.h"

namespace dunlin::store::filter_bench {
namespace {

/// Which filters there are.
struct Scheme {
  const char* name;
  std::array<Mode, kSources> modes;
  std::size_t part;  // of the stored bytes, that a filter of the lines' grams has; 0: there is none
};

constexpr std::array kSchemes = {
    Scheme{"stamps", {}, 0},
    Scheme{"tokens of ids", {kToken, kToken, kNone, kToken, kNone, kNone}, 0},
    Scheme{"tokens of all", {kToken, kToken, kToken, kToken, kToken, kToken}, 0},
    Scheme{"tokens, 4-grams of rest", {kToken, kToken, kToken, kToken, kToken, kGrams4}, 0},
    Scheme{"4-grams of all", {kGrams4, kGrams4, kGrams4, kGrams4, kNone, kGrams4}, 0},
    Scheme{"6-grams of all", {kGrams6, kGrams6, kGrams6, kGrams6, kNone, kGrams6}, 0},
    Scheme{"grams of lines, 1/64", {}, 64},
    Scheme{"grams of lines, 1/48", {}, 48},
    Scheme{"grams of lines, 1/32", {}, 32},
    Scheme{"grams of lines, 1/16", {}, 16},
};

/// Sums over the blocks and literals of one kind.
struct Cost {
  std::size_t examined = 0, read_blocks = 0, right_blocks = 0, columns = 0, stored = 0, raw = 0;
  double templates = 0, filters = 0, read = 0;
};

class Query {
 public:
  Query(const Scheme& scheme, std::string literal, Cost& cost)
      : scheme_(scheme), grams_(literal), search_(std::move(literal), false), cost_(cost) {}

  void Run(const Block& block) {
    using Kind = LiteralOutcome::Kind;
    const bool right = ::memmem(block.text.data(), block.text.size(), search_.literal().data(),
                                search_.literal().size()) != nullptr;
    cost_.right_blocks += right;
    if (scheme_.part > 0) {
      const double begin = CpuNow();
      const auto filter = GramFilter::Open(block.line_grams.at(scheme_.part));
      const bool may = filter && filter->MayContain(grams_);
      cost_.filters += CpuNow() - begin;
      if (right && !may) Die("a filter that loses lines");
      if (!may) return;
    }
    ++cost_.examined;
    double begin = CpuNow();
    std::vector<LiteralOutcome> outcomes;
    std::vector<const ValueColumnInfo*> slots;
    for (const Group& group : block.groups) {
      slots.clear();
      for (std::size_t column : group.columns) slots.push_back(&block.columns[column].info);
      outcomes.push_back(search_.Examine({group.fixed, slots}));
    }
    cost_.templates += CpuNow() - begin;
    begin = CpuNow();
    bool any = false;
    bool always = false;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      LiteralOutcome& outcome = outcomes[i];
      std::erase_if(outcome.ways,
                    [&](const auto& way) { return Excluded(block, block.groups[i], way); });
      if (outcome.kind == Kind::kSometimes && outcome.ways.empty()) outcome.kind = Kind::kNever;
      any = any || outcome.kind != Kind::kNever;
      always = always || outcome.kind == Kind::kAlways;
    }
    cost_.filters += CpuNow() - begin;
    if (right && !any) Die("a filter that loses lines");
    if (!any) return;
    ++cost_.read_blocks;
    if (always) return;
    begin = CpuNow();
    frames_.assign(block.frames.size(), {});
    columns_.assign(block.columns.size(), {});
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      const Group& group = block.groups[i];
      if (outcomes[i].kind == Kind::kUnclear) {
        for (std::size_t column : group.columns) Read(block, column);
      }
      for (const auto& way : outcomes[i].ways) Look(block, group, way);
    }
    cost_.read += CpuNow() - begin;
  }

 private:
  bool Excluded(const Block& block, const Group& group, const std::vector<SlotCondition>& way) {
    return std::any_of(way.begin(), way.end(), [&](const SlotCondition& condition) {
      const Column& column = block.columns[group.columns[condition.slot]];
      return column.source != kFixed && ConditionExcluded(block, column, condition);
    });
  }

  bool ConditionExcluded(const Block& block, const Column& column, const SlotCondition& condition) {
    using Kind = SlotCondition::Kind;
    const Mode mode = scheme_.modes[column.source];
    if (mode == kNone) return false;
    const std::string text = Folded(condition.text);
    const bool whole = condition.kind == Kind::kEquals || text.size() == column.info.most_bytes;
    const bool at_begin = whole || condition.kind == Kind::kBegins;
    const bool at_end = whole || condition.kind == Kind::kEnds;
    keys_.clear();
    for (std::string_view word : WordsOf(text)) {
      const bool begins = word.data() > text.data() || at_begin;
      const bool ends = word.data() + word.size() < text.data() + text.size() || at_end;
      if (mode != kToken || (begins && ends)) AppendKeys(word, mode, keys_);
    }
    const auto filter = FuseFilter::Open(block.filters[column.source].at(mode));
    if (!filter) Die("filter");
    return std::any_of(keys_.begin(), keys_.end(),
                       [&](std::uint64_t key) { return !filter->MayContain(key); });
  }

  /// Goes through the values of one way's columns, until none is left in which it could be.
  void Look(const Block& block, const Group& group, const std::vector<SlotCondition>& way) {
    for (const SlotCondition& condition : way) {
      const std::size_t number = group.columns[condition.slot];
      const ValueColumn& column = Read(block, number);
      bool any = false;
      for (std::uint32_t row = 0; row < block.columns[number].rows; ++row) {
        any |= search_.Holds(condition, ValueOf(column, row, room_));
      }
      if (!any) return;
    }
  }

  const ValueColumn& Read(const Block& block, std::size_t number) {
    const Column& column = block.columns[number];
    const Frame& frame = block.frames[column.frame];
    std::string& raw = frames_[column.frame];
    if (raw.empty()) {
      if (!Decompress(frame.bytes, frame.raw_bytes, raw)) Die("frame");
      cost_.stored += frame.bytes.size();
      cost_.raw += raw.size();
    }
    if (!columns_[number]) {
      ++cost_.columns;
      columns_[number] = ValueColumn::Make(
          column.info, std::string_view(raw).substr(column.begin, column.info.area_bytes),
          column.rows);
      if (!columns_[number]) Die("column");
    }
    return *columns_[number];
  }

  const Scheme& scheme_;
  LiteralGrams grams_;
  LiteralSearch search_;
  Cost& cost_;
  Keys keys_;
  std::vector<std::string> frames_;
  std::vector<std::optional<ValueColumn>> columns_;
  std::string room_;
};

class NeedleMaker {
 public:
  explicit NeedleMaker(const std::vector<std::string>& sample) : sample_(sample) {}

  std::vector<Needles> Make(int of_each) {
    std::vector<Needles> all;
    all.push_back({"the benchmark's id", {"7f3a9c51-0000-4bd1-aaaa-d00dfeed0001"}});
    auto add = [&all, of_each](const char* kind, auto make) {
      all.push_back({kind, {}});
      for (int i = 0; i < of_each; ++i) all.back().literals.push_back(make());
    };
    add("absent UUID",
        [this] { return Hex(8) + "-" + Hex(4) + "-" + Hex(4) + "-" + Hex(4) + "-" + Hex(12); });
    add("absent blk_-(19 digits)", [this] { return "blk_-" + Digits(19); });
    add("absent 19 digits", [this] { return Digits(19); });
    add("absent 32 hex", [this] { return Hex(32); });
    add("absent 16 hex", [this] { return Hex(16); });
    add("absent IPv4",
        [this] { return Digits(3) + "." + Digits(2) + "." + Digits(3) + "." + Digits(3); });
    add("absent 10 of a-z0-9", [this] { return Draw("abcdefghijklmnopqrstuvwxyz0123456789", 10); });
    add("absent 10 of a-z", [this] { return Draw("abcdefghijklmnopqrstuvwxyz", 10); });
    add("absent part: 8 hex", [this] { return Hex(8); });
    add("absent part: 6 hex", [this] { return Hex(6); });
    add("absent part: 8 digits", [this] { return Digits(8); });
    add("absent part of a UUID", [this] { return Hex(3) + "-" + Hex(4) + "-" + Hex(2); });
    add("value that is there", [this] { return Pick(); });
    add("part of one: 6 bytes", [this] { return Pick().substr(1, 6); });
    add("one with its end changed", [this] {
      std::string value = Pick();
      value.replace(value.size() - 2, 2, value.back() == '7' ? "18" : "77");
      return value;
    });
    return all;
  }

 private:
  std::string Draw(std::string_view from, std::size_t size) {
    std::string out;
    while (out.size() < size) out.push_back(from[random_() % from.size()]);
    return out;
  }
  std::string Hex(std::size_t size) { return Draw("0123456789abcdef", size); }
  std::string Digits(std::size_t size) {
    return Draw("123456789", 1) + Draw("0123456789", size - 1);
  }
  std::string Pick() { return sample_[random_() % sample_.size()]; }

  const std::vector<std::string>& sample_;
  std::mt19937_64 random_{2};
};

}  // namespace

std::vector<Needles> MakeNeedles(const std::vector<std::string>& sample, int of_each) {
  return NeedleMaker(sample).Make(of_each);
}

void PrintQueries(const Blocks& all) {
  const double blocks = Double(all.blocks.size());
  for (const Needles& needles : MakeNeedles(all.sample, 10)) {
    std::printf("\n%-24s %8s %8s %8s %8s %8s %9s %9s %9s\n", needles.kind, "opened", "read",
                "right", "columns", "KiB", "filter ms", "templ ms", "read ms");
    for (const Scheme& scheme : kSchemes) {
      Cost cost;
      for (const std::string& literal : needles.literals) {
        Query query(scheme, literal, cost);
        for (const auto& block : all.blocks) query.Run(*block);
      }
      const double n = Double(needles.literals.size());
      auto percent = [&](std::size_t count) { return 100 * Double(count) / n / blocks; };
      std::printf("%-24s %7.1f%% %7.1f%% %7.1f%% %8.1f %8.1f %9.3f %9.3f %9.3f\n", scheme.name,
                  percent(cost.examined), percent(cost.read_blocks), percent(cost.right_blocks),
                  Double(cost.columns) / n, Double(cost.stored) / n / 1024, 1000 * cost.filters / n,
                  1000 * cost.templates / n, 1000 * cost.read / n);
    }
    std::fflush(stdout);
  }
}

}  // namespace dunlin::store::filter_bench
