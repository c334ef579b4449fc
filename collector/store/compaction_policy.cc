#include "collector/store/compaction_policy.h"

#include <algorithm>
#include <map>
#include <utility>

namespace dunlin::store {
namespace {

using Indexes = std::vector<std::size_t>;

/// Merged segments above this part of merge_bytes stay as they are: merging them again would gain
/// little and write all of them once more.
constexpr std::uint64_t kSmallPart = 4;
/// A lone segment from a head is rewritten only when that saves some disk.
constexpr std::uint64_t kWorthRewritingPart = 128;

bool IsDone(const MergeCandidate& candidate, const CompactionRules& rules) {
  return candidate.level > 0 && candidate.line_bytes >= rules.merge_bytes / kSmallPart;
}

class DayPolicy {
 public:
  DayPolicy(const std::vector<MergeCandidate>& candidates, std::int64_t now_ns,
            const CompactionRules& rules)
      : candidates_(candidates), now_ns_(now_ns), rules_(rules) {}

  /// `day`: the candidates of one day.
  Indexes Select(const Indexes& day) const {
    std::map<std::uint32_t, Indexes> levels;
    for (std::size_t index : day) {
      if (!IsDone(candidates_[index], rules_)) levels[candidates_[index].level].push_back(index);
    }
    for (auto& [level, indexes] : levels) {
      std::sort(indexes.begin(), indexes.end(), [&](std::size_t a, std::size_t b) {
        return std::pair(candidates_[a].created_ns, a) < std::pair(candidates_[b].created_ns, b);
      });
      if (IsDue(level, indexes)) return Oldest(indexes);
    }
    return {};
  }

 private:
  bool IsDue(std::uint32_t level, const Indexes& indexes) const {
    if (indexes.size() >= rules_.fan_in && indexes.size() > 1) return true;
    if (level > 0) return false;
    std::uint64_t bytes = 0;
    for (std::size_t index : indexes) bytes += candidates_[index].line_bytes;
    if (bytes >= rules_.merge_bytes) return true;
    bool quiet = now_ns_ - candidates_[indexes.back()].created_ns >= rules_.quiet.count();
    bool worth_it = indexes.size() > 1 || bytes >= rules_.merge_bytes / kWorthRewritingPart;
    return quiet && worth_it;
  }

  /// As many as make about merge_bytes, so that no merge takes very long; at least two of several,
  /// or a large one would be rewritten for nothing but itself.
  Indexes Oldest(const Indexes& indexes) const {
    Indexes chosen;
    std::uint64_t bytes = 0;
    for (std::size_t index : indexes) {
      if (bytes >= rules_.merge_bytes && chosen.size() > 1) break;
      chosen.push_back(index);
      bytes += candidates_[index].line_bytes;
    }
    return chosen;
  }

  const std::vector<MergeCandidate>& candidates_;
  const std::int64_t now_ns_;
  const CompactionRules& rules_;
};

std::map<std::int64_t, Indexes> ByDay(const std::vector<MergeCandidate>& candidates) {
  std::map<std::int64_t, Indexes> days;
  for (std::size_t i = 0; i < candidates.size(); ++i) days[candidates[i].day].push_back(i);
  return days;
}

}  // namespace

Indexes SelectMerge(const std::vector<MergeCandidate>& candidates, std::int64_t now_ns,
                    const CompactionRules& rules) {
  // The newest day first: it is what most queries read.
  auto days = ByDay(candidates);
  for (auto day = days.rbegin(); day != days.rend(); ++day) {
    auto chosen = DayPolicy(candidates, now_ns, rules).Select(day->second);
    if (!chosen.empty()) return chosen;
  }
  return {};
}

Indexes SelectFullMerge(const std::vector<MergeCandidate>& candidates,
                        const CompactionRules& rules) {
  for (auto& [day, indexes] : ByDay(candidates)) {
    std::erase_if(indexes, [&](std::size_t i) { return IsDone(candidates[i], rules); });
    if (indexes.empty()) continue;
    if (indexes.size() > 1 || candidates[indexes.front()].level == 0) return indexes;
  }
  return {};
}

}  // namespace dunlin::store
