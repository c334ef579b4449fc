#include "protocol/base/label_set.h"

#include <unordered_set>

#include "protocol/base/coding.h"
#include "tests/support/catch.h"

namespace dunlin {
namespace {

TEST_CASE("a label set is sorted, unique and without empty values", "[base][labels]") {
  LabelSet labels{{"b", "2"}, {"a", "1"}, {"c", ""}, {"b", "3"}};
  CHECK(labels.size() == 2);
  CHECK(labels.begin()->first == "a");
  CHECK(labels.Get("b") == "3");
  CHECK_FALSE(labels.Has("c"));
  CHECK(labels == LabelSet{{"a", "1"}, {"b", "3"}});

  labels.Set("a", "");
  labels.Remove("missing");
  CHECK(labels == LabelSet{{"b", "3"}});
  CHECK(LabelSet{{"a", "1"}, {"a", ""}}.empty());
}

TEST_CASE("equal sets have equal hashes, others other ones", "[base][labels]") {
  CHECK(LabelSet{{"a", "1"}, {"b", "2"}}.Hash() == LabelSet{{"b", "2"}, {"a", "1"}}.Hash());
  // Names and values may not run into each other.
  std::unordered_set<LabelSet> sets = {
      {}, {{"a", "bc"}}, {{"ab", "c"}}, {{"a", "b"}, {"c", "d"}}, {{"a", "bcd"}}};
  CHECK(sets.size() == 5);
}

TEST_CASE("a label set is printed as a LogQL selector", "[base][labels]") {
  CHECK(LabelSet{}.ToString() == "{}");
  CHECK(LabelSet{{"b", "x\"y\\z\n"}, {"a", "1"}}.ToString() == R"({a="1", b="x\"y\\z\n"})");
}

TEST_CASE("a label set reads back from its bytes", "[base][labels]") {
  auto labels = GENERATE(values<LabelSet>(
      {{}, {{"a", "1"}}, {{"a", std::string(300, 'x')}, {"b", std::string("\0\n", 2)}}}));
  std::string bytes;
  AppendLabelSet(bytes, labels);
  bytes += "rest";
  ByteReader reader(bytes);
  auto read = ReadLabelSet(reader);
  REQUIRE(read);
  CHECK(*read == labels);
  CHECK(reader.rest() == "rest");
}

TEST_CASE("a label set cut anywhere is corruption", "[base][labels]") {
  std::string bytes;
  AppendLabelSet(bytes, LabelSet{{"ab", "cd"}, {"ef", "gh"}});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader reader(std::string_view(bytes).substr(0, size));
    auto read = ReadLabelSet(reader);
    REQUIRE_FALSE(read);
    CHECK(read.error().code() == ErrorCode::kCorruption);
  }
}

TEST_CASE("label sets out of order, repeated or with empty values are corruption",
          "[base][labels]") {
  auto bytes =
      GENERATE(values<std::string>({std::string("\x02\x01"
                                                "b\x01"
                                                "1\x01"
                                                "a\x01"
                                                "1"),
                                    std::string("\x02\x01"
                                                "a\x01"
                                                "1\x01"
                                                "a\x01"
                                                "1"),
                                    std::string("\x01\x01"
                                                "a\x00",
                                                4),
                                    std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")}));
  ByteReader reader(bytes);
  CHECK_FALSE(ReadLabelSet(reader));
}

TEST_CASE("label names are those of Prometheus", "[base][labels]") {
  auto [name, valid] = GENERATE(table<std::string, bool>({{"a", true},
                                                          {"_", true},
                                                          {"Az_09", true},
                                                          {"", false},
                                                          {"0a", false},
                                                          {"a-b", false},
                                                          {"a.b", false},
                                                          {"é", false}}));
  CHECK(IsValidLabelName(name) == valid);
}

}  // namespace
}  // namespace dunlin
