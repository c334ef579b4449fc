// tests/golden/store-v2 holds a store as version 2 of the formats wrote it: it stays readable,
// whatever later versions write.
#include <cstdio>
#include <fstream>
#include <map>
#include <string>

#include "protocol/base/text.h"
#include "tests/store/store_fixture.h"
#include "tests/support/format_page.h"

namespace dunlin::store {
namespace {

using testing::ReadSource;

constexpr std::int64_t kDay = 86'400'000'000'000;
constexpr std::int64_t kMinute = 60'000'000'000;
constexpr std::int64_t kFirst = 1'767'225'600'000'000'000;
const char* const kFolder = "tests/golden/store-v2/";
/// Paths in the store; in the folder a file's own name serves.
const char* const kIndex = "files.txt";

/// Every kind of value, in lines that lie in columns: numbers, rising ones, words of few and of
/// many kinds, hexadecimal, constants, bytes that are no text, several lines in one.
std::vector<TestEntry> FirstDay() {
  std::vector<TestEntry> entries;
  for (int i = 0; i < 240; ++i) {
    LabelSet metadata;
    metadata.Set("detected_level", i % 5 == 0 ? "error" : "info");
    if (i % 9 == 0) metadata.Set("trace_id", Join("trace-", i));
    std::string line;
    switch (i % 4) {
      case 0:
        line =
            Join("GET /item/", 1000 + i * 37 % 211, " took ", i % 17, " ms from 10.0.0.", i % 23);
        break;
      case 1:
        line = Join("request ", 500'000 + 3 * i, " is ", i % 3 == 1 ? "accepted" : "refused4");
        break;
      case 2: {
        char id[17];
        std::snprintf(id, sizeof id, "%016llx", 0x9E3779B97F4A7C15ULL * static_cast<unsigned>(i));
        line = Join("object ", id, " of user", i % 7, " deleted, seq ", i);
        break;
      }
      default:
        line = i % 8 == 3 ? Join("Error: no\n\tat line ", i, "\n\tat main")
                          : Join(std::string_view("\0\1\xFF\xC3", 4), i, " \xE2\x82\xAC");
    }
    entries.push_back({kFirst + i * 1'000'000'000LL, StreamOf(i % 3 == 0 ? "db" : "web"),
                       std::move(line), metadata});
  }
  return entries;
}

std::vector<TestEntry> NextDay() {
  std::vector<TestEntry> entries;
  for (int i = 0; i < 20; ++i) {
    entries.push_back({kFirst + kDay + i, StreamOf("web", "c2"), Join("next day, line ", i), {}});
  }
  return entries;
}

std::vector<TestEntry> AllEntries() {
  std::vector<TestEntry> all = FirstDay();
  for (TestEntry& entry : NextDay()) all.push_back(std::move(entry));
  return all;
}

std::map<std::string, std::string> GoldenFiles() {
  std::map<std::string, std::string> files;
  std::string index = ReadSource(std::string(kFolder) + kIndex);
  for (std::string_view path : Split(index, '\n')) {
    if (path.empty()) continue;
    const std::string name(path.substr(path.rfind('/') + 1));
    files[std::string(path)] = ReadSource(kFolder + name);
  }
  return files;
}

TEST_CASE("a store of version 2 stays readable", "[store][golden]") {
  StoreFixture fixture;
  PutFiles(fixture, GoldenFiles());
  fixture.Open();
  CHECK(fixture.ScanAll() == AllEntries());
  CHECK(fixture.last_stats().warnings.empty());
  const StoreStats stats = fixture.store().Stats();
  CHECK(stats.segments == 2);
  CHECK(stats.lines == 260);
  CHECK(stats.quarantined_segments == 0);

  SECTION("is searched in its columns") {
    const auto [text, lines] = GENERATE(std::pair<const char*, std::size_t>{"took", 60},
                                        std::pair<const char*, std::size_t>{"\tat line 115", 1},
                                        std::pair<const char*, std::size_t>{"request 500315 is", 1},
                                        std::pair<const char*, std::size_t>{"\xE2\x82\xAC", 30},
                                        std::pair<const char*, std::size_t>{"next day", 20},
                                        std::pair<const char*, std::size_t>{"nowhere", 0});
    CAPTURE(text);
    ScanRequest request = fixture.Everything();
    request.line_filters = {{LineFilter::Kind::kContains, false, text}};
    CHECK(fixture.Scan(request).size() == lines);
  }
  SECTION("is counted from its counters") {
    CountRequest request;
    request.edges = {kFirst - kMinute, kFirst + 2 * kMinute, kFirst + 2 * kDay};
    request.group_of = [](const LabelSet&, const LabelSet&) { return std::size_t{0}; };
    auto counted = fixture.store().Count(request);
    REQUIRE(counted);
    CHECK(counted->stats.rows_scanned < 240);  // of the first day, none
    REQUIRE(counted->groups.size() == 1);
    CHECK(counted->groups[0].first == 0);
    CHECK(counted->groups[0].intervals == std::vector<RowCount>{{121, 0}, {139, 0}});
  }
  SECTION("is merged with what came later") {
    const TestEntry later{kFirst + kDay + 100, StreamOf("web", "c2"), "later", {}};
    fixture.Store1({later});
    fixture.Flush();
    fixture.Compact();
    auto all = AllEntries();
    all.push_back(later);
    CHECK(fixture.ScanAll() == all);
    fixture.CrashAndReopen();
    CHECK(fixture.ScanAll() == all);
  }
}

/// Run by name, when a version of the formats is to be kept for good.
TEST_CASE("write the golden store", "[.write-golden-store]") {
  StoreFixture fixture;
  fixture.Open();
  const auto first = FirstDay();
  for (std::size_t i = 0; i < first.size(); i += 80) {
    fixture.Store1({first.begin() + static_cast<std::ptrdiff_t>(i),
                    first.begin() + static_cast<std::ptrdiff_t>(i + 80)});
    fixture.Flush();
  }
  fixture.Compact();
  fixture.Store1(NextDay());
  fixture.Flush();
  fixture.Close();
  const std::string folder = std::string(DUNLIN_SOURCE_DIR "/") + kFolder;
  std::ofstream index(folder + kIndex);
  for (const std::string& path : fixture.memory.Files("/data")) {
    const std::string contents = fixture.memory.Contents(path);
    // The log has nothing that segments do not have.
    if (contents.size() > 1'000'000 || path.find("/wal/") != std::string::npos) continue;
    index << path << '\n';
    std::ofstream(folder + path.substr(path.rfind('/') + 1), std::ios::binary) << contents;
  }
}

}  // namespace
}  // namespace dunlin::store
