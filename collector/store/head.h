#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "collector/store/row_columns.h"
#include "collector/store/rows.h"
#include "collector/store/stream_table.h"
#include "collector/store/wal_format.h"
#include "protocol/base/clock.h"

namespace dunlin::store {

/// What decides which rows share a block: entries of one service resemble each other, so they
/// compress and are skipped together; streams of a service are told apart by a column.
struct ServiceKey {
  std::string project;
  std::string service;
  friend auto operator<=>(const ServiceKey&, const ServiceKey&) = default;
};

/// The service that a stream belongs to.
ServiceKey ServiceOf(const LabelSet& labels);

struct TimeSpan {
  std::int64_t min_ns = std::numeric_limits<std::int64_t>::max();
  std::int64_t max_ns = std::numeric_limits<std::int64_t>::min();

  void Add(std::int64_t time_ns) {
    if (time_ns < min_ns) min_ns = time_ns;
    if (time_ns > max_ns) max_ns = time_ns;
  }
  bool Overlaps(std::int64_t start_ns, std::int64_t end_ns) const {
    return min_ns <= max_ns && min_ns < end_ns && max_ns >= start_ns;
  }
};

/// Rows of one service in order of arrival, at addresses that stay: those a reader has seen do not
/// change while later ones are added.
class HeadChunk {
 public:
  HeadChunk(std::uint32_t max_rows, std::uint32_t max_text_bytes);

  bool Fits(std::string_view line) const;
  void Add(std::int64_t time_ns, std::uint64_t arrival, const LabelSet* stream,
           const LabelSet* metadata, std::string_view line);
  /// The rows so far.
  RowColumns columns() const;
  const TimeSpan& span() const { return span_; }

 private:
  std::uint32_t max_rows_;
  std::uint32_t max_text_bytes_;
  std::uint32_t rows_ = 0;
  std::uint32_t text_bytes_ = 0;
  bool newline_inside_ = false;
  TimeSpan span_;
  std::unique_ptr<std::int64_t[]> times_;
  std::unique_ptr<std::uint64_t[]> arrivals_;
  std::unique_ptr<const LabelSet*[]> streams_;
  std::unique_ptr<const LabelSet*[]> metadata_;
  std::unique_ptr<std::uint32_t[]> ends_;
  std::unique_ptr<char[]> text_;
};

/// The rows of one chunk that a reader may see; views of the head.
struct HeadSlice {
  RowColumns columns;
  TimeSpan span;
};

/// Durable rows that are in no segment yet, searchable. One head takes rows until it is frozen and
/// written as segments; the next one then takes over.
///
/// Threads: Append from one thread; reading from any.
class Head {
 public:
  /// `first_arrival` numbers the first row; `covered` is the LSN before the first batch.
  Head(StreamTable& streams, std::uint64_t first_arrival, Lsn covered, SteadyTime created);
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;

  /// Adds the rows of one WAL record; none is seen before all are.
  void Append(const RowBatch& batch, Lsn lsn);

  /// Memory it takes; what head_bytes bounds.
  std::uint64_t memory_bytes() const { return memory_bytes_.load(std::memory_order_relaxed); }
  std::uint64_t rows() const { return rows_.load(std::memory_order_relaxed); }
  std::uint64_t line_bytes() const { return line_bytes_.load(std::memory_order_relaxed); }
  SteadyTime created() const { return created_; }
  TimeSpan span() const;

  /// Chunks with rows in [start, end), with the rows there are now.
  std::vector<HeadSlice> Slices(std::int64_t start_ns, std::int64_t end_ns) const;
  /// Every stream seen so far.
  std::vector<StreamPtr> streams() const;
  /// Adds the streams with entries in [start, end).
  void AddStreams(std::int64_t start_ns, std::int64_t end_ns,
                  std::unordered_set<StreamPtr>& out) const;

  /// Everything by service; for the segment writer, once no more rows come.
  using Group = std::vector<std::unique_ptr<HeadChunk>>;
  const std::map<ServiceKey, Group>& groups() const { return groups_; }

  Lsn first_lsn() const { return first_lsn_; }  // of the batches in it
  Lsn last_lsn() const { return last_lsn_; }    // first_lsn - 1 when empty
  std::uint64_t first_arrival() const { return first_arrival_; }
  std::uint64_t end_arrival() const { return next_arrival_; }

 private:
  struct StreamInfo {
    StreamPtr stream;
    TimeSpan span;
    Group* group = nullptr;
  };

  StreamInfo& InfoOf(const LabelSet& labels);
  const LabelSet* MetadataOf(const LabelSet& labels);
  HeadChunk& ChunkFor(Group& group, std::string_view line);

  StreamTable& stream_table_;
  const std::uint64_t first_arrival_;
  const Lsn first_lsn_;
  const SteadyTime created_;

  mutable std::mutex mutex_;
  std::map<ServiceKey, Group> groups_;
  std::unordered_map<const LabelSet*, StreamInfo> streams_;
  std::vector<StreamPtr> stream_list_;
  std::unordered_set<LabelSet> metadata_;
  std::uint64_t next_arrival_;
  Lsn last_lsn_;
  TimeSpan span_;
  std::atomic<std::uint64_t> memory_bytes_{0};
  std::atomic<std::uint64_t> rows_{0};
  std::atomic<std::uint64_t> line_bytes_{0};
};

}  // namespace dunlin::store
