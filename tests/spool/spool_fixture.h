#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "shipper/spool/spool_folder.h"
#include "tests/support/catch.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/memory_file_system.h"

namespace dunlin::shipper::testing {

inline constexpr std::string_view kIdentity = "agent a of service web";
inline constexpr RandomId kBoot{0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7,
                                0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf};

/// A batch as a test makes it: its lines and bytes depend on its sequence alone.
struct MadeBatch {
  SpoolBatchInfo info;
  std::string frame;
};

/// One boot of one agent beside its spool: it seals batches, remembers each, and knows of what the
/// spool answers whether it is right, to the line.
class SpoolFixture {
 public:
  explicit SpoolFixture(SpoolOptions options = {.limit_bytes = 64_KiB, .segment_bytes = 4_KiB});

  /// Seals the next batch, of about `bytes`; `with_gap`: it carries a marker.
  const MadeBatch& Seal(std::size_t bytes = 300, bool with_gap = false);
  /// Seals a gap batch that stands for `sequences` of them.
  const MadeBatch& SealGap(std::uint64_t sequences);
  /// Seals and appends.
  Result<void> Append(std::size_t bytes = 300, bool with_gap = false);
  Result<void> AppendSealed(const MadeBatch& batch);
  void AppendMany(int count, std::size_t bytes = 300);
  Result<void> Sync();
  Result<void> Acknowledge(std::uint64_t sequence);
  Result<std::optional<SpoolDrop>> DropOldest(std::uint64_t first_unsent);

  void Create();
  /// The process is killed, or the machine; nothing is open afterwards.
  void Kill();
  void PowerFailure(std::optional<std::uint64_t> torn_seed = std::nullopt);
  /// Another process takes the spool over. False when there is nothing left of it.
  bool Adopt(Spool::Unreadable unreadable = Spool::Unreadable::kFail);

  enum class After { kNothing, kKill, kPowerFailure, kDamage };
  /// Reads all that is there and checks every answer: frames are those appended; a gap accounts for
  /// exactly what was sealed under its sequences, and stands only where batches were dropped, never
  /// appended, or may have been lost by what happened. Returns the sequences that are gaps.
  std::set<std::uint64_t> CheckAll(After what = After::kNothing);
  /// Accounts for what was sealed under these sequences.
  Totals Accounted(std::uint64_t first, std::uint64_t last) const;

  std::vector<std::string> Segments();
  std::string Folder() const { return "/spool/web-1/" + ToHex(kBoot); }
  std::uint64_t sealed() const { return next_sequence_ - 1; }
  const MadeBatch& batch(std::uint64_t sequence) const { return made_.at(sequence); }

  dunlin::testing::MemoryFileSystem memory;
  dunlin::testing::FaultyFileSystem faulty{memory};
  SpoolFolder folder;
  std::unique_ptr<Spool> spool;

 private:
  void Remember(MadeBatch batch);
  bool MayBeLost(std::uint64_t sequence, After what) const;

  std::map<std::uint64_t, MadeBatch> made_;  // by its last sequence
  std::map<std::uint64_t, Totals> before_;   // by its first
  Totals sum_{};
  std::uint64_t next_sequence_ = 1;
  std::set<std::uint64_t> appended_;
  std::set<std::uint64_t> synced_;
  std::set<std::uint64_t> unsure_;  // a sync that failed was for them
  std::set<std::uint64_t> dropped_;
  std::uint64_t acknowledged_ = 0;
};

/// Lines and bytes only: the time of a gap is that of the latest entry known.
bool SameCounts(const Totals& a, const Totals& b);

}  // namespace dunlin::shipper::testing
