#include "tests/store/store_fixture.h"

#include <algorithm>
#include <limits>
#include <ostream>

#include "protocol/base/check.h"
#include "protocol/base/coding.h"
#include "protocol/base/text.h"

namespace dunlin::store {

std::string ToString(const TestEntry& entry) {
  std::string hex;
  if (entry.line.size() < 64) AppendHex(hex, entry.line);
  return Join(entry.time_ns, " ", entry.stream.ToString(), " ", entry.metadata.ToString(), " ",
              entry.line.substr(0, 64), " (", entry.line.size(), ": ", hex, ")");
}

std::ostream& operator<<(std::ostream& out, const TestEntry& entry) {
  return out << ToString(entry);
}

LabelSet StreamOf(const std::string& service, const std::string& container) {
  return LabelSet{{"project", "p"}, {"service", service}, {"container", container}};
}

RandomId IdOf(std::uint8_t number) {
  RandomId id{};
  id.fill(number);
  return id;
}

AppendRequest RequestOf(const std::vector<TestEntry>& entries) {
  AppendRequest request;
  request.payload_format = TestDecoder::kFormat;
  request.context = "context";
  request.payload.reserve(64);
  AppendVarint(request.payload, entries.size());
  for (const TestEntry& entry : entries) {
    AppendFixed(request.payload, entry.time_ns);
    AppendLabelSet(request.payload, entry.stream);
    AppendLabelSet(request.payload, entry.metadata);
    AppendLengthPrefixed(request.payload, entry.line);
  }
  auto rows = TestDecoder().Decode(TestDecoder::kFormat, request.context, request.payload);
  // Not an assertion of Catch2: senders on several threads use this.
  Check(rows.has_value(), "test payloads decode");
  request.rows = std::move(*rows);
  return request;
}

Result<RowBatch> TestDecoder::Decode(std::uint32_t payload_format, std::string_view context,
                                     std::string_view payload) const {
  if (payload_format != kFormat || context != "context") {
    return Error(ErrorCode::kUnsupported, "not a test payload");
  }
  ByteReader reader(payload);
  RowBatch batch;
  std::uint64_t count = reader.ReadVarint().value_or(0);
  auto index_of = [](std::vector<LabelSet>& sets, const LabelSet& labels) {
    auto found = std::find(sets.begin(), sets.end(), labels);
    if (found == sets.end()) found = sets.insert(sets.end(), labels);
    return static_cast<std::uint32_t>(found - sets.begin());
  };
  for (std::uint64_t i = 0; i < count; ++i) {
    Row row;
    row.time_ns = reader.ReadFixed<std::int64_t>().value_or(0);
    auto stream = ReadLabelSet(reader);
    auto metadata = ReadLabelSet(reader);
    auto line = reader.ReadLengthPrefixed();
    if (!stream || !metadata || !line) return Error(ErrorCode::kCorruption, "bad test payload");
    row.stream = index_of(batch.streams, *stream);
    row.metadata = index_of(batch.metadata, *metadata);
    row.line = *line;
    batch.rows.push_back(row);
  }
  return batch;
}

void PutFiles(StoreFixture& fixture, const std::map<std::string, std::string>& files) {
  for (const auto& [path, contents] : files) {
    for (std::string folder = ParentPath(path); folder != "/"; folder = ParentPath(folder)) {
      REQUIRE(fixture.memory.CreateDirectories(folder));
      REQUIRE(fixture.memory.SyncDirectory(ParentPath(folder)));
    }
    fixture.memory.Put(path, contents);
  }
}

StoreFixture::StoreFixture() : files_(std::make_unique<testing::FaultyFileSystem>(memory)) {
  options.data_dir = "/data";
  options.scan_threads = 2;
  options.min_free_bytes = 0;
  options.ballast_bytes = 0;
  options.wal_file_bytes = 1 << 20;
  options.compact_by_itself = false;
}

StoreFixture::~StoreFixture() = default;

Result<void> StoreFixture::TryOpen() {
  store_.reset();
  auto opened = Store::Open(*files_, clock, options, std::make_shared<TestDecoder>());
  if (!opened) return opened.error();
  store_ = std::move(*opened);
  return {};
}

void StoreFixture::Open() {
  auto opened = TryOpen();
  if (!opened) FAIL(opened.error().message());
}

void StoreFixture::LoseStore(const std::function<void()>& death) {
  files_->FailCall(0, testing::FaultyFileSystem::Lasting::kForever);
  death();
  store_.reset();
  files_ = std::make_unique<testing::FaultyFileSystem>(memory);
}

void StoreFixture::CrashAndReopen() {
  LoseStore([&] { memory.Crash(); });
  Open();
}

void StoreFixture::CrashTornAndReopen(std::uint64_t seed) {
  LoseStore([&] { memory.CrashTorn(seed); });
  Open();
}

void StoreFixture::KillAndReopen() {
  LoseStore([&] { memory.Kill(); });
  Open();
}

Result<AppendOutcome> StoreFixture::Append(AppendRequest request) {
  std::promise<Result<AppendOutcome>> promise;
  auto answer = promise.get_future();
  store_->Append(std::move(request),
                 [&](Result<AppendOutcome> outcome) { promise.set_value(std::move(outcome)); });
  return answer.get();
}

void StoreFixture::Store1(const std::vector<TestEntry>& entries) {
  auto outcome = Append(RequestOf(entries));
  if (!outcome) FAIL(outcome.error().message());
  REQUIRE(*outcome == AppendOutcome::kStored);
}

void StoreFixture::Flush() {
  auto flushed = store_->Flush();
  if (!flushed) FAIL(flushed.error().message());
}

void StoreFixture::Compact() {
  auto compacted = store_->Compact();
  if (!compacted) FAIL(compacted.error().message());
}

ScanRequest StoreFixture::Everything(Order order) const {
  ScanRequest request;
  request.start_ns = std::numeric_limits<std::int64_t>::min();
  request.end_ns = std::numeric_limits<std::int64_t>::max();
  request.order = order;
  return request;
}

std::vector<TestEntry> StoreFixture::Scan(const ScanRequest& request, std::size_t limit) {
  std::vector<TestEntry> entries;
  auto stats = store_->Scan(request, [&](const ScannedRow& row) {
    entries.push_back({row.time_ns, row.stream, std::string(row.line), row.metadata});
    return entries.size() < limit;
  });
  if (!stats) FAIL(stats.error().message());
  last_stats_ = *stats;
  return entries;
}

}  // namespace dunlin::store
