#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "collector/store/wal_reader.h"
#include "collector/store/wal_writer.h"
#include "protocol/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/manual_clock.h"
#include "tests/support/memory_file_system.h"

namespace dunlin::store {
namespace {

using testing::FaultyFileSystem;

struct WalFixture {
  WalFixture() {
    REQUIRE(memory.CreateDirectories("/wal"));
    REQUIRE(memory.SyncDirectory("/"));
  }

  WalWriter Writer(std::uint64_t file_bytes = 1 << 20, std::size_t spare_files = 0,
                   std::uint64_t next_number = 1, Lsn next_lsn = 1) {
    return WalWriter(files, clock, {"/wal", file_bytes, spare_files}, next_number, next_lsn, {});
  }

  static WalBatch Batch(std::string_view payload) {
    WalBatch batch;
    batch.received_ns = 42;
    batch.payload_format = 3;
    batch.context = "ctx";
    batch.payload = payload;
    return batch;
  }

  static void Commit(WalWriter& writer, const std::vector<std::string>& payloads) {
    std::vector<WalBatch> batches;
    for (const std::string& payload : payloads) batches.push_back(Batch(payload));
    auto done = writer.Commit(batches);
    if (!done) FAIL(done.error().message());
  }

  struct Read {
    std::vector<std::string> payloads;
    std::vector<Lsn> lsns;
    std::vector<WalReport> reports;
  };
  Read ReadAll() {
    auto entries = ListWal(memory, "/wal");
    REQUIRE(entries);
    Read read;
    for (std::size_t i = 0; i < entries->size(); ++i) {
      if ((*entries)[i].never_used) continue;
      std::optional<Lsn> end;
      if (i + 1 < entries->size()) end = (*entries)[i + 1].first_lsn;
      auto report = ReadWalFile(memory, (*entries)[i], end, [&](const WalRecord& record) {
        read.payloads.emplace_back(record.batch.payload);
        read.lsns.push_back(record.lsn);
      });
      REQUIRE(report);
      read.reports.push_back(*report);
    }
    return read;
  }

  /// A writer whose current file has the space of a covered one, whose records fill it still.
  /// Their payloads are "old 0", "old 1", ... and each is as long as "new 0".
  std::unique_ptr<WalWriter> RecycledWriter() {
    auto writer = std::make_unique<WalWriter>(files, clock, WalWriter::Options{"/wal", 4096, 1}, 1,
                                              1, std::vector<WalWriter::OldFile>());
    for (int i = 0; i < 20; ++i) Commit(*writer, {"old " + std::to_string(i % 10)});
    writer->RemoveCovered(20);
    REQUIRE(writer->stats().spare_files == 1);
    Commit(*writer, {"new 0"});
    REQUIRE(writer->stats().files_recycled_total == 1);
    return writer;
  }

  std::string OnlyFile() {
    auto paths = memory.Files("/wal");
    REQUIRE(paths.size() == 1);
    return paths[0];
  }

  testing::MemoryFileSystem memory;
  FaultyFileSystem files{memory};
  testing::ManualClock clock;
};

TEST_CASE("wal gives back what was committed, after a crash", "[store][wal]") {
  WalFixture fixture;
  auto writer = fixture.Writer();
  RandomId agent{};
  agent[0] = 1;
  WalBatch batch = WalFixture::Batch(std::string_view("pay\0load", 8));
  batch.id = BatchId{agent, NewRandomId(), 300, 1};
  batch.content_hash = NewRandomId();
  REQUIRE(writer.Commit(std::vector{batch, WalFixture::Batch("")}));
  fixture.memory.Crash();
  auto entries = ListWal(fixture.memory, "/wal");
  REQUIRE(entries);
  REQUIRE(entries->size() == 1);
  int seen = 0;
  auto report = ReadWalFile(fixture.memory, entries->front(), {}, [&](const WalRecord& record) {
    if (++seen == 2) {
      CHECK(record.batch.payload.empty());
      return;
    }
    CHECK(record.lsn == 1);
    CHECK(record.batch.id->agent == agent);
    CHECK(record.batch.id->boot == batch.id->boot);
    CHECK(record.batch.id->sequence == 300);
    CHECK(record.batch.content_hash == batch.content_hash);
    CHECK(record.batch.received_ns == 42);
    CHECK(record.batch.payload_format == 3);
    CHECK(record.batch.context == "ctx");
    CHECK(record.batch.payload == batch.payload);
  });
  REQUIRE(report);
  CHECK(seen == 2);
  CHECK(report->damage.empty());
  CHECK(report->torn_bytes == 0);
}

TEST_CASE("wal cut at any byte loses only the records it cuts", "[store][wal]") {
  WalFixture fixture;
  auto writer = fixture.Writer();
  std::vector<std::string> payloads;
  for (int i = 0; i < 6; ++i) {
    payloads.push_back("payload " + std::to_string(i));
    WalFixture::Commit(writer, {payloads.back()});
  }
  std::string path = fixture.OnlyFile();
  std::string whole = fixture.memory.Contents(path);
  std::size_t end = whole.find_last_not_of('\0') + 1;
  std::size_t previous = 0;
  for (std::size_t size = 0; size <= end; ++size) {
    fixture.memory.Put(path, whole.substr(0, size));
    auto read = fixture.ReadAll();
    CAPTURE(size);
    // A prefix, never shorter than that of a shorter file, and no damage: nothing follows.
    REQUIRE(read.payloads.size() >= previous);
    previous = read.payloads.size();
    REQUIRE(std::equal(read.payloads.begin(), read.payloads.end(), payloads.begin()));
    for (const WalReport& report : read.reports) CHECK(report.damage.empty());
  }
  CHECK(previous == payloads.size());
}

TEST_CASE("a flipped bit in the wal loses one record and says which", "[store][wal]") {
  WalFixture fixture;
  auto writer = fixture.Writer();
  std::vector<std::string> payloads;
  for (int i = 0; i < 4; ++i) {
    payloads.push_back("payload " + std::to_string(i));
    WalFixture::Commit(writer, {payloads.back()});
  }
  std::string path = fixture.OnlyFile();
  std::string whole = fixture.memory.Contents(path);
  std::size_t end = whole.find_last_not_of('\0') + 1;
  for (std::size_t at = kWalHeaderBytes; at < end; ++at) {
    fixture.memory.Put(path, whole);
    fixture.memory.Corrupt(path, at, 0x10);
    auto read = fixture.ReadAll();
    CAPTURE(at);
    REQUIRE(read.reports.size() == 1);
    const WalReport& report = read.reports[0];
    if (read.payloads.size() == 4) {
      // Padding belongs to no record.
      CHECK(read.payloads == payloads);
      continue;
    }
    REQUIRE(read.payloads.size() == 3);
    Lsn lost = 1;
    while (lost <= 3 && read.lsns[lost - 1] == lost) ++lost;
    if (lost == 4) {
      // The last record alone cannot be told from a write that a crash cut short.
      CHECK(report.damage.empty());
      CHECK(report.torn_bytes > 0);
    } else {
      REQUIRE(report.damage.size() == 1);
      CHECK(report.damage[0].first_lost == lost);
      CHECK(report.damage[0].end_lost == lost + 1);
    }
  }
}

TEST_CASE("a damaged wal file header costs no record", "[store][wal]") {
  WalFixture fixture;
  auto writer = fixture.Writer();
  WalFixture::Commit(writer, {"a", "b"});
  for (std::size_t at = 0; at < kWalHeaderBytes; ++at) {
    CAPTURE(at);
    fixture.memory.Corrupt(fixture.OnlyFile(), at, 0xFF);
    auto read = fixture.ReadAll();
    CHECK(read.payloads == std::vector<std::string>{"a", "b"});
    CHECK(read.reports.at(0).header_damaged);
    fixture.memory.Corrupt(fixture.OnlyFile(), at, 0xFF);
  }
}

TEST_CASE("a group torn in a crash is dropped whole from its first bad record", "[store][wal]") {
  WalFixture fixture;
  auto writer = fixture.Writer();
  WalFixture::Commit(writer, {"acked"});
  std::size_t acked_end = fixture.memory.Contents(fixture.OnlyFile()).find_last_not_of('\0') + 1;
  WalFixture::Commit(writer, {"first of a group", "second of it"});
  // As if the disk had kept only the later part of an unsynced group.
  fixture.memory.Corrupt(fixture.OnlyFile(), acked_end + 40, 1);
  auto read = fixture.ReadAll();
  CHECK(read.payloads == std::vector<std::string>{"acked"});
  CHECK(read.reports.at(0).damage.empty());
  CHECK(read.reports.at(0).torn_bytes > 0);
}

TEST_CASE("wal begins a new file when one is full and removes covered ones", "[store][wal]") {
  WalFixture fixture;
  auto writer = fixture.Writer(4096);
  std::vector<std::string> payloads;
  for (int i = 0; i < 10; ++i) {
    payloads.push_back(std::string(1000, static_cast<char>('a' + i)));
    WalFixture::Commit(writer, {payloads.back()});
  }
  CHECK(fixture.memory.Files("/wal").size() == 4);
  CHECK(fixture.ReadAll().payloads == payloads);
  writer.RemoveCovered(6);
  CHECK(fixture.memory.Files("/wal").size() == 2);
  CHECK(fixture.ReadAll().payloads ==
        std::vector<std::string>(payloads.begin() + 6, payloads.end()));
  writer.RemoveCovered(10);
  CHECK(fixture.memory.Files("/wal").empty());
  CHECK(writer.stats().bytes == 0);
  SECTION("and takes a group larger than a file") {
    WalFixture::Commit(writer, {std::string(10'000, 'x')});
    CHECK(fixture.ReadAll().payloads == std::vector<std::string>{std::string(10'000, 'x')});
    CHECK(fixture.ReadAll().lsns == std::vector<Lsn>{11});
  }
}

TEST_CASE("a wal file whose sync failed is never acknowledged from", "[store][wal]") {
  // Every call of a commit fails once, in turn: the group goes to a new file.
  for (std::uint64_t n = 0;; ++n) {
    CAPTURE(n);
    WalFixture fixture;
    auto writer = fixture.Writer();
    WalFixture::Commit(writer, {"before"});
    fixture.files.FailCall(n, FaultyFileSystem::Lasting::kOnce);
    WalFixture::Commit(writer, {"during", "the failure"});
    bool failed = fixture.files.failures() > 0;
    fixture.files.Heal();
    WalFixture::Commit(writer, {"after"});
    fixture.memory.Crash();
    auto read = fixture.ReadAll();
    CHECK(read.payloads == std::vector<std::string>{"before", "during", "the failure", "after"});
    CHECK(read.lsns == std::vector<Lsn>{1, 2, 3, 4});
    if (failed) CHECK(fixture.memory.Files("/wal").size() == 2);
    if (!failed) break;
  }
}

TEST_CASE("a group that no file takes is refused and leaves nothing", "[store][wal]") {
  WalFixture fixture;
  auto writer = fixture.Writer();
  WalFixture::Commit(writer, {"before"});
  auto code = GENERATE(ErrorCode::kIo, ErrorCode::kExhausted);
  fixture.files.FailCall(0, FaultyFileSystem::Lasting::kForever, code,
                         {FaultyFileSystem::Call::kSync, FaultyFileSystem::Call::kCreate});
  auto refused = writer.Commit(std::vector{WalFixture::Batch("refused")});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == code);
  fixture.files.Heal();
  WalFixture::Commit(writer, {"after"});
  // Even when the refused bytes reached the disk after all.
  fixture.memory.Kill();
  auto read = fixture.ReadAll();
  CHECK(read.payloads == std::vector<std::string>{"before", "after"});
  for (const WalReport& report : read.reports) CHECK(report.damage.empty());
}

TEST_CASE("a covered wal file lends its space to the next one", "[store][wal]") {
  WalFixture fixture;
  auto writer = fixture.RecycledWriter();
  WalFixture::Commit(*writer, {"new 1"});
  CHECK(fixture.memory.Files("/wal").size() == 1);
  CHECK(writer->stats().bytes == 4096);
  // What the space held before is still there, and is not taken for anything.
  REQUIRE(fixture.memory.Contents(fixture.OnlyFile()).find("old 5") != std::string::npos);
  fixture.memory.Crash();
  auto read = fixture.ReadAll();
  CHECK(read.payloads == std::vector<std::string>{"new 0", "new 1"});
  CHECK(read.lsns == std::vector<Lsn>{21, 22});
  REQUIRE(read.reports.size() == 1);
  CHECK(read.reports[0].damage.empty());
  CHECK(read.reports[0].torn_bytes == 0);
  CHECK_FALSE(read.reports[0].header_damaged);
}

TEST_CASE("every byte of a recycled wal file may go bad", "[store][wal]") {
  WalFixture fixture;
  auto writer = fixture.RecycledWriter();
  WalFixture::Commit(*writer, {"new 1"});
  WalFixture::Commit(*writer, {"new 2"});
  std::string path = fixture.OnlyFile();
  std::string whole = fixture.memory.Contents(path);
  std::size_t end = whole.find("old");
  REQUIRE(end != std::string::npos);
  for (std::size_t at = 0; at < end; ++at) {
    CAPTURE(at);
    fixture.memory.Put(path, whole);
    fixture.memory.Corrupt(path, at, 0x10);
    auto read = fixture.ReadAll();
    std::vector<std::string> wanted;
    for (Lsn lsn : read.lsns) wanted.push_back("new " + std::to_string(lsn - 21));
    CHECK(read.payloads == wanted);
    CHECK(read.lsns.size() >= 2);
    bool lost_acknowledged = read.lsns.size() == 2 && read.lsns != std::vector<Lsn>{21, 22};
    CHECK(read.reports.at(0).damage.empty() != lost_acknowledged);
  }
}

TEST_CASE("a group torn in a recycled file is told from what the space held before",
          "[store][wal]") {
  WalFixture fixture;
  auto writer = fixture.RecycledWriter();
  WalFixture::Commit(*writer, {"new 1"});
  std::string path = fixture.OnlyFile();
  fixture.memory.Corrupt(path, fixture.memory.Contents(path).find("new 1"), 1);
  auto read = fixture.ReadAll();
  CHECK(read.payloads == std::vector<std::string>{"new 0"});
  CHECK(read.reports.at(0).damage.empty());
  CHECK(read.reports.at(0).torn_bytes > 0);
}

TEST_CASE("a crash at any call of recycling leaves a readable log", "[store][wal]") {
  auto death = GENERATE(0, 1, 2);
  for (std::uint64_t n = 0;; ++n) {
    CAPTURE(death, n);
    WalFixture fixture;
    auto writer = std::make_unique<WalWriter>(fixture.files, fixture.clock,
                                              WalWriter::Options{"/wal", 4096, 1}, 1, 1,
                                              std::vector<WalWriter::OldFile>());
    for (int i = 0; i < 20; ++i) WalFixture::Commit(*writer, {"old " + std::to_string(i)});
    fixture.files.FailCall(n, FaultyFileSystem::Lasting::kForever);
    writer->RemoveCovered(20);
    bool acknowledged = writer->Commit(std::vector{WalFixture::Batch("new")}).has_value();
    bool reached = fixture.files.failures() > 0;
    if (death == 0) fixture.memory.Crash();
    if (death == 1) fixture.memory.CrashTorn(n);
    if (death == 2) fixture.memory.Kill();
    auto read = fixture.ReadAll();
    bool found =
        std::find(read.payloads.begin(), read.payloads.end(), "new") != read.payloads.end();
    if (acknowledged) CHECK(found);
    for (const WalReport& report : read.reports) {
      CHECK(report.damage.empty());
      CHECK_FALSE(report.header_damaged);
    }
    if (!reached) break;
  }
}

TEST_CASE("a file on which something failed is not used again", "[store][wal]") {
  WalFixture fixture;
  auto writer = fixture.Writer(4096, 1);
  WalFixture::Commit(writer, {"a"});
  fixture.files.FailCall(0, FaultyFileSystem::Lasting::kOnce, ErrorCode::kIo,
                         {FaultyFileSystem::Call::kSync});
  std::string failed = fixture.OnlyFile();
  WalFixture::Commit(writer, {"b"});
  CHECK(writer.stats().failures_total == 1);
  writer.RemoveCovered(2);
  CHECK(writer.stats().spare_files == 1);
  CHECK_FALSE(fixture.memory.Exists(failed));
  CHECK_FALSE(fixture.memory.Exists(failed + ".spare"));
}

TEST_CASE("spare wal files are bounded, taken over by the next run and given back",
          "[store][wal]") {
  WalFixture fixture;
  {
    auto writer = fixture.Writer(4096, 2);
    for (int i = 0; i < 200; ++i) WalFixture::Commit(writer, {"payload"});
    REQUIRE(writer.stats().files >= 3);
    writer.RemoveCovered(200);
    CHECK(writer.stats().files == 0);
    CHECK(writer.stats().spare_files == 2);
    CHECK(writer.stats().bytes == 2 * 4096);
    CHECK(fixture.memory.Files("/wal").size() == 2);
    REQUIRE(fixture.memory.SyncDirectory("/wal"));
    fixture.memory.Crash();  // so that the writer cannot tidy up
    fixture.files.FailCall(0, FaultyFileSystem::Lasting::kForever);
  }
  fixture.files.Heal();
  auto writer = fixture.Writer(4096, 1, 100, 201);
  CHECK(writer.stats().spare_files == 1);
  CHECK(fixture.memory.Files("/wal").size() == 1);
  WalFixture::Commit(writer, {"next"});
  CHECK(writer.stats().files_recycled_total == 1);
  CHECK(fixture.ReadAll().payloads == std::vector<std::string>{"next"});
  writer.RemoveCovered(201);
  writer.RemoveSpares();
  CHECK(fixture.memory.Files("/wal").empty());
  CHECK(writer.stats().bytes == 0);
}

TEST_CASE("wal file names carry number and id", "[store][wal]") {
  WalFileName name{0x1234, NewRandomId()};
  auto parsed = WalFileName::Parse(name.ToString());
  REQUIRE(parsed);
  CHECK(parsed->number == name.number);
  CHECK(parsed->id == name.id);
  CHECK_FALSE(WalFileName::Parse("LOCK"));
  CHECK_FALSE(WalFileName::Parse(name.ToString() + "x"));
}

TEST_CASE("a wal file of a newer version is refused", "[store][wal]") {
  WalFixture fixture;
  auto writer = fixture.Writer();
  WalFixture::Commit(writer, {"a"});
  std::string header = EncodeWalFileHeader({NewRandomId(), 1, 0});
  CHECK(DecodeWalFileHeader(header));
  CHECK(DecodeWalFileHeader(header.substr(1)).error().code() == ErrorCode::kCorruption);
}

}  // namespace
}  // namespace dunlin::store
