#include "collector/store/local_store.h"

#include "tests/store/store_fixture.h"

namespace dunlin::store {
namespace {

TEST_CASE("an appended entry is found at once, after a flush and after a restart", "[store]") {
  StoreFixture fixture;
  fixture.Open();
  std::vector<TestEntry> entries = {
      {1000, StreamOf("web"), "hello", {}},
      {2000, StreamOf("web"), "world", {{"trace_id", "abc"}}},
      {1500, StreamOf("db"), std::string("a\0b\nc\xff\r", 7), {}},
      {1500, StreamOf("db"), "", {}},
  };
  std::vector<TestEntry> in_order = {entries[0], entries[2], entries[3], entries[1]};
  fixture.Store1(entries);
  CHECK(fixture.ScanAll() == in_order);
  SECTION("flush") {
    fixture.Flush();
    CHECK(fixture.store().Stats().head_lines == 0);
    CHECK(fixture.ScanAll() == in_order);
    fixture.CrashAndReopen();
    CHECK(fixture.ScanAll() == in_order);
  }
  SECTION("crash") {
    fixture.CrashAndReopen();
    CHECK(fixture.ScanAll() == in_order);
    CHECK(fixture.store().Stats().head_lines == 4);
  }
  SECTION("clean restart") {
    fixture.Close();
    fixture.Open();
    CHECK(fixture.ScanAll() == in_order);
    CHECK(fixture.store().Stats().segments == 1);
    CHECK(fixture.store().Stats().wal_bytes == 0);
  }
  std::vector<TestEntry> reversed(in_order.rbegin(), in_order.rend());
  CHECK(fixture.ScanAll(Order::kDescending) == reversed);
}

TEST_CASE("a data folder belongs to one store", "[store]") {
  StoreFixture fixture;
  fixture.Open();
  auto second =
      Store::Open(fixture.files(), fixture.clock, fixture.options, std::make_shared<TestDecoder>());
  REQUIRE_FALSE(second);
  CHECK(second.error().code() == ErrorCode::kAlreadyExists);
}

TEST_CASE("line filters and stream predicates select", "[store]") {
  StoreFixture fixture;
  fixture.Open();
  fixture.Store1({{1, StreamOf("web"), "GET /a 200", {}},
                  {2, StreamOf("web"), "GET /b 404", {}},
                  {3, StreamOf("db"), "GET nothing", {}},
                  {4, StreamOf("web"), "POST /a 200", {}}});
  bool flushed = GENERATE(false, true);
  if (flushed) fixture.Flush();
  ScanRequest request = fixture.Everything();
  request.stream_matches = [](const LabelSet& labels) { return labels.Get("service") == "web"; };
  request.line_filters = {{LineFilter::Kind::kContains, false, "/a"},
                          {LineFilter::Kind::kRegex, true, "^POST"}};
  auto found = fixture.Scan(request);
  REQUIRE(found.size() == 1);
  CHECK(found[0].line == "GET /a 200");
  request.line_filters = {{LineFilter::Kind::kRegex, false, "("}};
  auto bad = fixture.store().Scan(request, [](const ScannedRow&) { return true; });
  REQUIRE_FALSE(bad);
  CHECK(bad.error().code() == ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace dunlin::store
