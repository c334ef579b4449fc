#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/compaction_policy.h"
#include "collector/store/rows.h"
#include "protocol/base/clock.h"
#include "protocol/base/file_system.h"
#include "protocol/base/label_set.h"
#include "protocol/base/random.h"
#include "protocol/base/result.h"
#include "protocol/base/units.h"

namespace dunlin::store {

/// Where a batch comes from; makes a repeated one recognisable.
struct BatchId {
  RandomId agent{};
  RandomId boot{};
  std::uint64_t sequence = 0;  // 1, 2, 3, ... within a boot
  /// The oldest sequence the sender still holds: earlier ones will never come (dropped by it, or
  /// acknowledged by a collector that has forgotten this boot), so they are not waited for.
  std::uint64_t oldest_held = 1;
  /// A batch that stands for several, dropped before they were ever sent, covers all from here to
  /// `sequence`; 0: `sequence` alone.
  std::uint64_t first_sequence = 0;
};

/// One unit of durability: stored whole and once, or not at all.
struct AppendRequest {
  /// Agents: their numbering. Otherwise `content_hash` (128 bits of the request body) recognises a
  /// retry for ten minutes; both empty: always new.
  std::optional<BatchId> id;
  std::optional<RandomId> content_hash;

  /// What the WAL keeps, and its format for PayloadDecoder; `context` is what enrichment decided
  /// (resolved label sets), stored along so that replay gives the same rows.
  std::uint32_t payload_format = 0;
  std::string context;
  std::string payload;

  /// The same entries decoded; lines may point into `payload` or `rows.text`, both moved along.
  RowBatch rows;
};

enum class AppendOutcome {
  kStored,     // durable now
  kDuplicate,  // was durable already
  kGap,        // the sequence skips ahead: not stored, the agent must go back (go-back-N)
};

/// Turns a WAL payload back into rows; given by the ingest side, which knows the formats.
/// Thread-safe.
class PayloadDecoder {
 public:
  virtual ~PayloadDecoder() = default;
  /// Lines may point into `payload`. Errors: kCorruption, kUnsupported for an unknown format.
  virtual Result<RowBatch> Decode(std::uint32_t payload_format, std::string_view context,
                                  std::string_view payload) const = 0;
};

struct StoreOptions {
  std::string data_dir;
  std::chrono::nanoseconds retention_age{};  // zero: forever
  std::uint64_t retention_bytes = 0;         // zero: no limit
  /// Free space of which the oldest segments are deleted, however young; zero: never.
  std::uint64_t retention_free_bytes = 0;
  std::uint64_t min_free_bytes = 256_MiB;  // below it appends answer kExhausted; reads go on
  /// Set aside in a file, for what has to be written when the disk is full all the same.
  std::uint64_t ballast_bytes = 32_MiB;
  std::uint64_t head_bytes = 32_MiB;  // of rows in memory before segments are written
  std::chrono::nanoseconds head_age{std::chrono::minutes(30)};  // a quiet head is written then
  std::uint64_t wal_file_bytes = 64_MiB;
  std::uint64_t max_queued_bytes = 32_MiB;  // of batches waiting for the WAL
  std::size_t scan_threads = 0;             // zero: one per core
  CompactionRules compaction;
  bool compact_by_itself = true;  // false: only when Compact is called
};

enum class Order { kAscending, kDescending, kUnordered };

/// A condition on the line. Patterns of kRegex are RE2 and match anywhere in the line.
struct LineFilter {
  enum class Kind { kContains, kRegex };
  Kind kind = Kind::kContains;
  bool negated = false;
  std::string pattern;
};

struct ScanRequest {
  std::int64_t start_ns = 0;                            // inclusive
  std::int64_t end_ns = 0;                              // exclusive
  std::function<bool(const LabelSet&)> stream_matches;  // called once per stream; any thread
  std::vector<LineFilter> line_filters;                 // all must hold
  Order order = Order::kDescending;
  /// The visitor will want no more entries than this, though it may be shown more.
  std::size_t limit = std::numeric_limits<std::size_t>::max();
  const std::atomic<bool>* cancelled = nullptr;
};

/// One entry found; views are valid during the visit only.
struct ScannedRow {
  std::int64_t time_ns;
  const LabelSet& stream;
  const LabelSet& metadata;
  std::string_view line;
};

struct ScanStats {
  std::uint64_t segments = 0;  // looked into
  std::uint64_t blocks_read = 0;
  std::uint64_t blocks_pruned = 0;
  std::uint64_t rows_scanned = 0;
  std::uint64_t bytes_scanned = 0;  // of line text, uncompressed
  std::uint64_t rows_matched = 0;
  std::vector<std::string> warnings;  // damaged segments inside the range
};

/// Label names: those listed, or all but those.
struct LabelNames {
  enum class Kind { kListed, kAllBut };
  Kind kind = Kind::kListed;
  std::vector<std::string> names;

  bool Has(std::string_view name) const {
    bool listed = std::find(names.begin(), names.end(), name) != names.end();
    return listed == (kind == Kind::kListed);
  }
  bool none() const { return kind == Kind::kListed && names.empty(); }
};

struct CountRequest {
  /// Ascending, at least two. Rows are counted for each interval (edges[i], edges[i + 1]].
  std::vector<std::int64_t> edges;
  std::function<bool(const LabelSet&)> stream_matches;  // called once per stream; any thread
  std::vector<LineFilter> line_filters;                 // all must hold
  /// The labels of a row's metadata that `group_of` is shown. The fewer they are, the less is read.
  LabelNames metadata;
  /// The group in which a stream's rows with such metadata are counted, numbered from 0; nothing:
  /// they are not counted. Called from any thread, but one call at a time, and about once for each
  /// combination; also for a few of which no row is counted.
  std::function<std::optional<std::size_t>(const LabelSet& stream, const LabelSet& metadata)>
      group_of;
  bool bytes = false;                        // of the lines, too
  std::uint64_t max_memory_bytes = 256_MiB;  // of counts
  const std::atomic<bool>* cancelled = nullptr;
};

struct RowCount {
  std::uint64_t rows = 0;
  std::uint64_t line_bytes = 0;  // zero unless asked for
  friend bool operator==(const RowCount&, const RowCount&) = default;
};

/// The counts of one group: of the intervals `first`, `first` + 1, ...; all others have no rows.
struct CountedGroup {
  std::size_t first = 0;
  std::vector<RowCount> intervals;
};

struct CountResult {
  std::vector<CountedGroup> groups;  // by number; a group without rows may be missing at the end
  ScanStats stats;                   // rows and bytes that were looked at one by one
};

/// Why a segment was deleted.
enum class ExpiryReason {
  kAge,    // retention_age
  kSize,   // retention_bytes
  kSpace,  // retention_free_bytes
};
inline constexpr std::size_t kExpiryReasons = 3;

struct StoreStats {
  std::uint64_t streams = 0;
  std::uint64_t lines = 0;               // searchable now
  std::uint64_t uncompressed_bytes = 0;  // of their text
  std::uint64_t disk_bytes = 0;          // segments
  std::uint64_t wal_bytes = 0;
  std::uint64_t wal_files = 0;
  std::uint64_t wal_spare_files = 0;
  std::uint64_t segments = 0;
  std::uint64_t quarantined_segments = 0;
  std::uint64_t head_lines = 0;
  std::uint64_t disk_free_bytes = 0;
  std::uint64_t wal_written_bytes_total = 0;
  std::uint64_t wal_syncs_total = 0;
  double wal_sync_seconds_total = 0;
  std::uint64_t wal_recycled_files_total = 0;
  std::uint64_t wal_failures_total = 0;  // files given up after a failed write or sync
  std::uint64_t streams_created_total = 0;
  std::uint64_t segments_written_total = 0;
  std::array<std::uint64_t, kExpiryReasons> segments_expired_total{};
  std::uint64_t compactions_total = 0;  // merges of segments into one
  std::uint64_t compaction_read_bytes_total = 0;
  std::uint64_t compaction_written_bytes_total = 0;
  std::uint64_t duplicate_batches_total = 0;
  std::uint64_t queued_bytes = 0;  // of batches waiting for the WAL
  std::uint64_t dedup_boots = 0;   // remembered, for recognising what comes again
  std::uint64_t dedup_bodies = 0;
  std::int64_t oldest_time_ns = 0;  // zero when empty
  std::int64_t newest_time_ns = 0;
  bool disk_full = false;
  bool wal_failed = false;  // neither the WAL's file nor a new one could be written
  bool read_only = false;   // appends are refused, for these reasons or others
};

/// Durable log storage in one folder: write-ahead log, head in memory, immutable segments, manifest
/// (docs/wal-format.md, docs/segment-format.md). Knows nothing of LogQL, HTTP or the wire.
///
/// Threads: every member may be called from any thread. One writer thread inside does all WAL
/// writing, another writes segments, and a third of low priority merges them; scans run on the
/// caller's thread and on a few of the store's own.
class Store {
 public:
  /// Locks the folder, recovers, replays the WAL. Errors: kAlreadyExists when another process holds
  /// the folder; kIo and others when it cannot be used at all. Damage is not an error: it is
  /// quarantined and reported.
  static Result<std::unique_ptr<Store>> Open(FileSystem& fs, const Clock& clock,
                                             StoreOptions options,
                                             std::shared_ptr<const PayloadDecoder> decoder);
  /// Waits for the running group commit and writes the head to a segment. What is queued is
  /// answered kUnavailable.
  virtual ~Store() = default;

  using AppendDone = std::function<void(Result<AppendOutcome>)>;
  /// Queues a batch; `done` runs on a store thread once it is durable (fdatasync done) and
  /// searchable, or refused: kExhausted for a full disk, kIo when the WAL cannot be written,
  /// kUnavailable when stopping. All but the last may pass while the store runs. Appends of one
  /// agent are made in order. Bounded: past `max_queued_bytes` waiting, `done` gets kExhausted at
  /// once.
  virtual void Append(AppendRequest request, AppendDone done) = 0;

  /// The first sequence of this boot that is not durable here: 1 for an unknown one. Boots are
  /// remembered for 90 days after their last batch, the latest 100,000 of them.
  virtual std::uint64_t NextSequence(const RandomId& agent, const RandomId& boot) = 0;

  /// Label sets with entries in [start, end), each once, in no order.
  virtual std::vector<LabelSet> Streams(std::int64_t start_ns, std::int64_t end_ns) = 0;

  /// Calls `visit` on the calling thread for each matching entry, until it answers false.
  /// kAscending and kDescending are global time order; entries of one time come in order of arrival
  /// (reversed when descending). kUnordered is fastest. Sees everything whose append had finished.
  /// Errors: kInvalidArgument for a regex, kCancelled.
  using Visit = std::function<bool(const ScannedRow&)>;
  virtual Result<ScanStats> Scan(const ScanRequest& request, const Visit& visit) = 0;

  /// Counts rows without visiting them: from sums that segments keep where those are enough, else
  /// from the columns that the question touches. Sees what Scan would see. Errors:
  /// kInvalidArgument for a regex, kCancelled, kExhausted past `max_memory_bytes`.
  virtual Result<CountResult> Count(const CountRequest& request) = 0;

  /// Writes the head to a segment now and waits; for shutdown, tests and benchmarks.
  virtual Result<void> Flush() = 0;
  /// Merges the segments of each day, but for merged ones that are large already, into one and
  /// waits; for tests, benchmarks and tools. By itself the store merges as CompactionRules say. A
  /// segment with damaged blocks stays as it is. Errors: kExhausted without room for what is merged;
  /// kUnavailable when stopping; those of the disk.
  virtual Result<void> Compact() = 0;
  /// Applies retention now; it also runs by itself.
  virtual Result<void> ApplyRetention() = 0;

  /// Why appends are refused now, if they are: so that senders can be told before they send.
  virtual std::optional<Error> Refusal() = 0;

  virtual StoreStats Stats() = 0;
};

}  // namespace dunlin::store
