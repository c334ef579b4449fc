#include "collector/store/scan.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <queue>
#include <set>
#include <span>

#include "collector/store/scan_unit.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::store {
namespace {

/// What an ordered scan may hold of blocks that overlap in time. Reached only when very many of
/// them do.
constexpr std::uint64_t kMaxMergeBytes = 512_MiB;
/// How often visiting looks whether it was cancelled.
constexpr std::uint64_t kRowsPerCancelCheck = 1024;

/// Evaluates units on the pool. Destroying it leaves nothing running that refers to the scan.
class Evaluations {
 public:
  Evaluations(ScanPool& pool, const ScanPlan& plan, const std::vector<ScanUnit>& units)
      : pool_(pool), state_(std::make_shared<State>()) {
    state_->plan = &plan;
    state_->units = &units;
    state_->results.resize(units.size());
  }
  ~Evaluations() {
    std::unique_lock lock(state_->mutex);
    state_->abandoned = true;
    state_->changed.wait(lock, [&] { return state_->running == 0; });
  }
  Evaluations(const Evaluations&) = delete;
  Evaluations& operator=(const Evaluations&) = delete;

  void Start(std::size_t unit) {
    pool_.Run([state = state_, unit] { state->Evaluate(unit); });
  }

  /// The rows of a unit that was started.
  UnitRows Take(std::size_t unit) {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->results[unit].has_value(); });
    return *std::exchange(state_->results[unit], std::nullopt);
  }

  /// The rows of whichever started unit is ready first.
  UnitRows TakeAny() {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return !state_->ready.empty(); });
    std::size_t unit = state_->ready.front();
    state_->ready.pop_front();
    return *std::exchange(state_->results[unit], std::nullopt);
  }

 private:
  struct State {
    const ScanPlan* plan = nullptr;
    const std::vector<ScanUnit>* units = nullptr;
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::optional<UnitRows>> results;
    std::deque<std::size_t> ready;
    int running = 0;
    bool abandoned = false;  // the scan has ended: plan and units are gone

    void Evaluate(std::size_t unit) {
      {
        std::lock_guard lock(mutex);
        if (abandoned) return;
        ++running;
      }
      UnitRows rows = EvaluateUnit(*plan, (*units)[unit]);
      std::lock_guard lock(mutex);
      results[unit] = std::move(rows);
      ready.push_back(unit);
      --running;
      changed.notify_all();
    }
  };

  ScanPool& pool_;
  std::shared_ptr<State> state_;  // shared with tasks that start after the scan has ended
};

/// The lines of a unit's rows, in the order in which they are visited. Lines that are kept as
/// columns are made some at a time, and more at a time the longer a scan goes on.
class UnitLines {
 public:
  /// The line of the row `index` of unit.rows, valid until the next call. Errors: kCorruption.
  Result<std::string_view> Line(const UnitRows& unit, std::size_t index, bool descending) {
    if (!unit.in_columns) return unit.columns.Line(unit.rows[index]);
    if (index < begin_ || index >= end_) {
      if (auto made = Make(unit, index, descending); !made) return std::move(made).error();
    }
    const std::size_t nth = index - begin_;
    const std::uint32_t start = nth == 0 ? 0 : ends_[nth - 1] + 1;
    return std::string_view(text_).substr(start, ends_[nth] - start);
  }

 private:
  Result<void> Make(const UnitRows& unit, std::size_t index, bool descending) {
    begin_ = descending ? index + 1 - std::min(count_, index + 1) : index;
    end_ = descending ? index + 1 : std::min(unit.rows.size(), index + count_);
    count_ = std::min(count_ * 2, kMostLines);
    text_.clear();
    ends_.clear();
    BlockReader& block = *unit.in_columns;
    if (auto done = block.LoadLines(); !done) return done;
    const auto rows = std::span(unit.rows).subspan(begin_, end_ - begin_);
    auto done = block.lines().AppendRows(rows, text_, ends_);
    // Many blocks may be visited at once: what is read of columns goes, to be read again.
    block.ReleaseLines();
    return done;
  }

  static constexpr std::size_t kMostLines = 16384;

  std::size_t count_ = 1024;  // to make next
  std::size_t begin_ = 0;     // of those made
  std::size_t end_ = 0;
  std::string text_;
  std::vector<std::uint32_t> ends_;
};

class Scan {
 public:
  Scan(const View& view, const ScanRequest& request, const Store::Visit& visit, ScanPool& pool,
       BlockCache& cache)
      : view_(view), request_(request), visit_(visit), pool_(pool) {
    plan_.request = &request;
    if (request.order != Order::kUnordered) plan_.cache = &cache;
  }

  Result<ScanStats> Run() {
    auto matcher = LineMatcher::Create(request_.line_filters);
    if (!matcher) return std::move(matcher).error();
    plan_.matcher = std::move(*matcher);
    for (const Loss& loss : view_.losses) {
      if (loss.span.Overlaps(request_.start_ns, request_.end_ns)) warnings_.insert(loss.text);
    }
    if (request_.start_ns < request_.end_ns) {
      units_ = PlanUnits(view_, plan_, stats_);
      auto done = request_.order == Order::kUnordered ? Unordered() : Ordered();
      if (!done) return std::move(done).error();
    }
    stats_.warnings.assign(warnings_.begin(), warnings_.end());
    return std::move(stats_);
  }

 private:
  bool Cancelled() const {
    return request_.cancelled != nullptr && request_.cancelled->load(std::memory_order_relaxed);
  }

  enum class Next { kRow, kUnit, kEnd };

  /// Visits the row `index` of a unit's.
  Next Visit(const UnitRows& unit, UnitLines& lines, std::size_t index) {
    auto line = lines.Line(unit, index, descending());
    if (!line) {
      // What cannot be read of a block is left out, and the answer says so.
      warnings_.insert(line.error().message());
      return Next::kUnit;
    }
    const RowColumns& columns = unit.columns;
    const std::uint32_t row = unit.rows[index];
    ++stats_.rows_matched;
    if (stats_.rows_matched % kRowsPerCancelCheck == 0 && Cancelled()) {
      cancelled_ = true;
      return Next::kEnd;
    }
    const bool more =
        visit_({columns.times[row], *columns.streams[row], *columns.metadata[row], *line});
    return more ? Next::kRow : Next::kEnd;
  }

  void Count(const UnitRows& rows) {
    stats_.blocks_read += rows.stats.blocks_read;
    stats_.blocks_pruned += rows.stats.blocks_pruned;
    stats_.rows_scanned += rows.stats.rows_scanned;
    stats_.bytes_scanned += rows.stats.bytes_scanned;
    warnings_.insert(rows.stats.warnings.begin(), rows.stats.warnings.end());
  }

  Result<void> Outcome() const {
    if (cancelled_) return Error(ErrorCode::kCancelled, "the scan was cancelled");
    return {};
  }

  Result<void> Unordered() {
    if (units_.size() == 1) {
      UnitRows rows = EvaluateUnit(plan_, units_[0]);
      Count(rows);
      VisitAll(rows);
      return Outcome();
    }
    Evaluations evaluations(pool_, plan_, units_);
    // Enough to keep every thread busy while rows are visited; each may hold a decoded block.
    std::size_t ahead = pool_.threads() + 2;
    std::size_t started = 0;
    for (std::size_t taken = 0; taken < units_.size(); ++taken) {
      if (Cancelled()) cancelled_ = true;
      if (cancelled_) break;
      while (started < units_.size() && started < taken + ahead) evaluations.Start(started++);
      UnitRows rows = evaluations.TakeAny();
      Count(rows);
      if (!VisitAll(rows)) break;
    }
    return Outcome();
  }

  bool VisitAll(const UnitRows& rows) {
    UnitLines lines;
    for (std::size_t index = 0; index < rows.rows.size(); ++index) {
      const Next next = Visit(rows, lines, index);
      if (next != Next::kRow) return next == Next::kUnit;
    }
    return true;
  }

  bool descending() const { return request_.order == Order::kDescending; }

  /// The time at which a unit's rows begin, in the order asked for.
  std::int64_t Begin(const ScanUnit& unit) const {
    return descending() ? unit.span.max_ns : unit.span.min_ns;
  }

  /// A unit whose rows are being merged.
  struct Cursor {
    UnitRows rows;
    UnitLines lines;
    std::size_t next = 0;   // in rows.rows, from the back when descending
    std::size_t index = 0;  // in rows.rows, of the row that it is at
    std::int64_t time_ns = 0;
    std::uint64_t arrival = 0;
  };

  /// Sets the cursor to its next row; false when there is none.
  bool Advance(Cursor& cursor) const {
    const auto& rows = cursor.rows.rows;
    if (cursor.next == rows.size()) return false;
    cursor.index = descending() ? rows.size() - 1 - cursor.next : cursor.next;
    ++cursor.next;
    const std::uint32_t row = rows[cursor.index];
    cursor.time_ns = cursor.rows.columns.times[row];
    cursor.arrival = cursor.rows.columns.arrivals[row];
    return true;
  }

  /// Whether `a` is visited after `b`.
  bool After(const Cursor& a, const Cursor& b) const {
    const Cursor& late = descending() ? b : a;
    const Cursor& early = descending() ? a : b;
    return early.time_ns != late.time_ns ? early.time_ns < late.time_ns
                                         : early.arrival < late.arrival;
  }

  Result<void> Ordered() {
    std::sort(units_.begin(), units_.end(), [&](const ScanUnit& a, const ScanUnit& b) {
      return descending() ? Begin(a) > Begin(b) : Begin(a) < Begin(b);
    });
    Evaluations evaluations(pool_, plan_, units_);
    std::size_t opened = 0;
    std::size_t started = 0;
    std::uint64_t memory = 0;
    auto after = [&](const auto& a, const auto& b) { return After(*a, *b); };
    std::vector<std::unique_ptr<Cursor>> heap;  // the next row to visit is at the front

    for (;;) {
      // A unit that may begin before the next row has to be looked into first.
      while (opened < units_.size() &&
             (heap.empty() || MayPrecede(units_[opened], heap.front()->time_ns))) {
        if (Cancelled()) {
          cancelled_ = true;
          return Outcome();
        }
        // Units are evaluated ahead only once a scan has shown that it goes on: most newest-first
        // scans end in their first blocks.
        std::size_t ahead = std::min(opened, pool_.threads() + 1);
        started = std::max(started, opened);
        auto cursor = std::make_unique<Cursor>();
        if (started == opened && ahead == 0) {
          cursor->rows = EvaluateUnit(plan_, units_[opened]);
          ++started;
        } else {
          while (started < units_.size() && started <= opened + ahead) evaluations.Start(started++);
          cursor->rows = evaluations.Take(opened);
        }
        ++opened;
        Count(cursor->rows);
        if (!Advance(*cursor)) continue;
        memory += cursor->rows.memory_bytes;
        if (memory > kMaxMergeBytes) {
          return Error(ErrorCode::kExhausted,
                       "too many entries overlap in time to be put in order: narrow the time "
                       "range or the selector");
        }
        heap.push_back(std::move(cursor));
        std::push_heap(heap.begin(), heap.end(), after);
      }
      if (heap.empty()) return {};
      std::pop_heap(heap.begin(), heap.end(), after);
      Cursor& cursor = *heap.back();
      const Next next = Visit(cursor.rows, cursor.lines, cursor.index);
      if (next == Next::kEnd) return Outcome();
      if (next == Next::kRow && Advance(cursor)) {
        std::push_heap(heap.begin(), heap.end(), after);
      } else {
        memory -= cursor.rows.memory_bytes;
        heap.pop_back();
      }
    }
  }

  bool MayPrecede(const ScanUnit& unit, std::int64_t time_ns) const {
    return descending() ? Begin(unit) >= time_ns : Begin(unit) <= time_ns;
  }

  const View& view_;
  const ScanRequest& request_;
  const Store::Visit& visit_;
  ScanPool& pool_;
  ScanPlan plan_;
  std::vector<ScanUnit> units_;
  ScanStats stats_;
  std::set<std::string> warnings_;
  bool cancelled_ = false;
};

}  // namespace

Result<ScanStats> RunScan(const View& view, const ScanRequest& request, const Store::Visit& visit,
                          ScanPool& pool, BlockCache& cache) {
  return Scan(view, request, visit, pool, cache).Run();
}

}  // namespace dunlin::store
