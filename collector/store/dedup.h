#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "collector/store/store.h"
#include "protocol/base/random.h"
#include "protocol/base/result.h"

namespace dunlin::store {

/// A boot is remembered this long after its last batch, and at most so many of them, the latest:
/// longer than a spool waits on the disk of a machine that somebody will switch on again.
/// A forgotten one is not stuck: BatchId::oldest_held tells where it goes on.
inline constexpr std::chrono::nanoseconds kBootMemory = std::chrono::hours(90 * 24);
inline constexpr std::size_t kMaxBoots = 100'000;
/// Time in which a repeated body counts as a retry, and how many bodies are remembered at most.
inline constexpr std::chrono::nanoseconds kContentMemory = std::chrono::minutes(10);
inline constexpr std::size_t kMaxContents = 1'000'000;

struct BootKey {
  RandomId agent{};
  RandomId boot{};
  friend bool operator==(const BootKey&, const BootKey&) = default;
};

struct RandomIdHash {
  std::size_t operator()(const RandomId& id) const noexcept;
};
struct BootKeyHash {
  std::size_t operator()(const BootKey& key) const noexcept;
};

/// Which batches are durable, as far as it matters for recognising them when they come again. A
/// value; the manifest keeps one as of the covered LSN, the writer one as of now.
class DedupState {
 public:
  struct Boot {
    std::uint64_t next_sequence = 1;
    std::int64_t last_seen_ns = 0;
  };

  /// Notes that a batch of this identity is durable.
  void Add(const std::optional<BatchId>& id, const std::optional<RandomId>& content_hash,
           std::int64_t received_ns);
  std::uint64_t NextSequence(const BootKey& key) const;
  bool HasContent(const RandomId& hash, std::int64_t now_ns) const;

  /// Forgets what is over age or over count.
  void Expire(std::int64_t now_ns);

  /// Appends everything, or what Add noted since the last TakeChanges.
  void AppendAll(std::string& out) const;
  std::string TakeChanges();
  /// Takes over what AppendAll or TakeChanges wrote, which is no change to be taken again; no bytes
  /// add nothing. Errors: kCorruption.
  Result<void> Apply(std::string_view bytes);

  std::size_t boots() const { return boots_.size(); }
  std::size_t contents() const { return contents_.size(); }

 private:
  void SetBoot(const BootKey& key, Boot boot);
  void AddContent(const RandomId& hash, std::int64_t received_ns);

  std::unordered_map<BootKey, Boot, BootKeyHash> boots_;
  std::unordered_map<RandomId, std::int64_t, RandomIdHash> contents_;
  std::deque<std::pair<std::int64_t, RandomId>> contents_by_age_;
  std::unordered_map<BootKey, bool, BootKeyHash> changed_boots_;
  std::vector<RandomId> changed_contents_;
};

/// Decides batch by batch while a group is put together; a batch that is queued but not yet durable
/// counts like a durable one, and is forgotten again if the group fails. One thread.
class DedupGroup {
 public:
  explicit DedupGroup(const DedupState& durable) : durable_(durable) {}

  /// kStored: to be written. Nothing of the group is durable until the caller says so.
  AppendOutcome Decide(const AppendRequest& request, std::int64_t now_ns);

 private:
  const DedupState& durable_;
  std::unordered_map<BootKey, std::uint64_t, BootKeyHash> next_;
  std::unordered_map<RandomId, bool, RandomIdHash> contents_;
};

}  // namespace dunlin::store
