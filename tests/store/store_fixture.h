#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "collector/store/store.h"
#include "tests/support/catch.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/manual_clock.h"
#include "tests/support/memory_file_system.h"

namespace dunlin::store {

/// How far apart the points are that exhaustive tests try. TSan looks for races, which one point
/// shows as well as the next, and is slow.
#ifdef __SANITIZE_THREAD__
inline constexpr std::uint64_t kStride = 9;
#else
inline constexpr std::uint64_t kStride = 1;
#endif

/// An entry as tests write and compare it.
struct TestEntry {
  std::int64_t time_ns = 0;
  LabelSet stream;
  std::string line;
  LabelSet metadata;
  friend bool operator==(const TestEntry&, const TestEntry&) = default;
};
/// For messages of failed checks.
std::string ToString(const TestEntry& entry);
std::ostream& operator<<(std::ostream& out, const TestEntry& entry);

/// The stream of `service` with some usual labels around it.
LabelSet StreamOf(const std::string& service, const std::string& container = "c1");

/// A request whose payload TestDecoder turns back into the same rows.
AppendRequest RequestOf(const std::vector<TestEntry>& entries);
RandomId IdOf(std::uint8_t number);

/// Reads payloads of RequestOf.
class TestDecoder final : public PayloadDecoder {
 public:
  static constexpr std::uint32_t kFormat = 7;
  Result<RowBatch> Decode(std::uint32_t payload_format, std::string_view context,
                          std::string_view payload) const override;
};

class StoreFixture;
/// Puts files of another store in its place, by path, before it is opened.
void PutFiles(StoreFixture& fixture, const std::map<std::string, std::string>& files);

/// A store on files in memory that can crash and fail.
class StoreFixture {
 public:
  StoreFixture();
  ~StoreFixture();

  /// Opens with `options`, failing the test when that fails.
  void Open();
  Result<void> TryOpen();
  void Close() { store_.reset(); }
  /// The power fails and the machine starts again.
  void CrashAndReopen();
  /// The same, on a disk that keeps parts of what was not synced, drawn from `seed`.
  void CrashTornAndReopen(std::uint64_t seed);
  /// kill -9 and a restart.
  void KillAndReopen();

  /// What the store of the current run sees of `memory`. A new one after a crash: the old store's
  /// threads cannot touch the files any more.
  testing::FaultyFileSystem& files() { return *files_; }
  Store& store() { return *store_; }
  bool open() const { return store_ != nullptr; }

  /// Appends and waits for the answer.
  Result<AppendOutcome> Append(AppendRequest request);
  /// The same, failing the test unless stored.
  void Store1(const std::vector<TestEntry>& entries);
  void Flush();
  void Compact();

  ScanRequest Everything(Order order = Order::kAscending) const;
  std::vector<TestEntry> Scan(const ScanRequest& request, std::size_t limit = SIZE_MAX);
  std::vector<TestEntry> ScanAll(Order order = Order::kAscending) {
    return Scan(Everything(order));
  }
  const ScanStats& last_stats() const { return last_stats_; }

  testing::MemoryFileSystem memory;
  testing::ManualClock clock;
  StoreOptions options;

 private:
  /// Ends the store after its files stopped listening to it, and applies `death` to them.
  void LoseStore(const std::function<void()>& death);

  std::unique_ptr<testing::FaultyFileSystem> files_;
  std::unique_ptr<Store> store_;
  ScanStats last_stats_;
};

}  // namespace dunlin::store
