#include "shipper/batcher.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/manual_clock.h"

namespace dunlin::shipper {
namespace {

using namespace std::chrono_literals;
using testing::ManualClock;
using wire::Output;

struct Entry {
  Output output;
  std::string line;
  std::int64_t time_ns;
  wire::Mark mark;
};

/// The entries of a sealed batch, checked against the rules of the columns.
std::vector<Entry> EntriesOf(const wire::Columns& columns) {
  std::vector<Entry> entries;
  std::size_t offset = 0;
  std::size_t mark = 0;
  for (const wire::Run& run : columns.runs) {
    for (std::uint32_t i = 0; i < run.entries; ++i) {
      REQUIRE(entries.size() < columns.line_lengths.size());
      std::size_t size = columns.line_lengths[entries.size()];
      REQUIRE(offset + size < columns.lines.size());
      REQUIRE(columns.lines[offset + size] == '\n');
      Entry entry{run.output, columns.lines.substr(offset, size), run.time_ns + i, {}};
      if (mark < columns.marks.size() && columns.marks[mark].entry == entries.size()) {
        entry.mark = columns.marks[mark++];
      }
      entries.push_back(std::move(entry));
      offset += size + 1;
    }
  }
  CHECK(entries.size() == columns.line_lengths.size());
  CHECK(offset == columns.lines.size());
  CHECK(mark == columns.marks.size());
  return entries;
}

/// A batcher and a clock, with the verbs of a process that writes.
class Feed {
 public:
  explicit Feed(BatcherOptions options = {}) : batcher(options) {}

  /// Offers `bytes` as one or more reads, as a pipe would.
  void Write(std::string_view bytes, Output output = Output::kStdout) {
    while (!bytes.empty()) {
      auto room = batcher.Reserve(output, bytes.size());
      REQUIRE(!room.empty());
      std::size_t size = std::min(room.size(), bytes.size());
      std::memcpy(room.data(), bytes.data(), size);
      batcher.Commit(output, size, clock.Now(), clock.Steady());
      bytes.remove_prefix(size);
    }
  }
  void End(Output output = Output::kStdout) { batcher.Finish(output, clock.Now(), clock.Steady()); }
  std::vector<Entry> Seal() {
    if (batcher.empty()) return {};
    Batcher::Content content = batcher.Seal();
    wire::Columns columns = content.columns;
    columns.lines.assign(content.lines.data(), content.lines_bytes);
    return EntriesOf(columns);
  }
  std::vector<std::string> SealLines() {
    std::vector<std::string> lines;
    for (Entry& entry : Seal()) lines.push_back(std::move(entry.line));
    return lines;
  }

  ManualClock clock;
  Batcher batcher;
};

using Lines = std::vector<std::string>;

TEST_CASE("lines of one read become entries of one run", "[shipper][batcher]") {
  Feed feed;
  feed.Write("one\ntwo\n\nfour\n");
  auto entries = feed.Seal();
  REQUIRE(entries.size() == 4);
  CHECK(entries[0].line == "one");
  CHECK(entries[2].line.empty());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    CHECK(entries[i].time_ns == ManualClock::kStartNs + static_cast<std::int64_t>(i));
    CHECK(entries[i].mark == wire::Mark{});
  }
}

TEST_CASE("every byte but the newline is content", "[shipper][batcher]") {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) {
    if (byte != '\n') all.push_back(static_cast<char>(byte));
  }
  Feed feed;
  feed.Write(all + "\n" + "a\r\n" + "\r\n");
  CHECK(feed.SealLines() == Lines{all, "a\r", "\r"});
}

TEST_CASE("a line in pieces is one entry, wherever it is cut", "[shipper][batcher]") {
  const std::string text = "alpha\n\nbeta gamma\nd\n";
  for (std::size_t first = 0; first <= text.size(); ++first) {
    for (std::size_t second = first; second <= text.size(); ++second) {
      Feed feed;
      feed.Write(text.substr(0, first));
      feed.Write(text.substr(first, second - first));
      feed.Write(text.substr(second));
      CHECK(feed.SealLines() == Lines{"alpha", "", "beta gamma", "d"});
    }
  }
}

TEST_CASE("single bytes of two outputs at once do not mix", "[shipper][batcher]") {
  Feed feed;
  const std::string out = "stdout line\n";
  const std::string err = "STDERR LINE\n";
  for (std::size_t i = 0; i < out.size(); ++i) {
    feed.Write(out.substr(i, 1), Output::kStdout);
    feed.Write(err.substr(i, 1), Output::kStderr);
  }
  auto entries = feed.Seal();
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].output == Output::kStdout);
  CHECK(entries[0].line == "stdout line");
  CHECK(entries[1].output == Output::kStderr);
  CHECK(entries[1].line == "STDERR LINE");
}

TEST_CASE("an unfinished line waits for its end over a seal", "[shipper][batcher]") {
  Feed feed;
  feed.Write("one\nsecond ha");
  CHECK(feed.SealLines() == Lines{"one"});
  CHECK(feed.batcher.empty());
  feed.Write("lf\n");
  CHECK(feed.SealLines() == Lines{"second half"});
}

TEST_CASE("a last line without newline is an entry that says so", "[shipper][batcher]") {
  Feed feed;
  feed.Write("one\ntail");
  feed.End();
  feed.End();
  auto entries = feed.Seal();
  REQUIRE(entries.size() == 2);
  CHECK_FALSE(entries[0].mark.unterminated);
  CHECK(entries[1].line == "tail");
  CHECK(entries[1].mark.unterminated);
}

TEST_CASE("the end after a newline adds nothing", "[shipper][batcher]") {
  Feed feed;
  feed.Write("one\n");
  feed.End();
  CHECK(feed.SealLines() == Lines{"one"});
}

BatcherOptions SmallLines() {
  BatcherOptions options;
  options.fragment_bytes = 8;
  options.max_line_bytes = 32;
  return options;
}

TEST_CASE("a line of exactly the soft limit is whole", "[shipper][batcher]") {
  Feed feed(SmallLines());
  feed.Write("12345678\n");
  auto entries = feed.Seal();
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].mark.fragment_id == 0);
}

TEST_CASE("a longer line becomes fragments that join to it", "[shipper][batcher]") {
  const std::size_t size = GENERATE(9U, 15U, 16U, 17U, 24U, 31U, 32U);
  const std::size_t piece = GENERATE(1U, 3U, 8U, 100U);
  CAPTURE(size, piece);
  std::string line;
  for (std::size_t i = 0; i < size; ++i) line.push_back(static_cast<char>('a' + i % 26));
  std::string text = "before\n" + line + "\nafter\nlast\n";
  Feed feed(SmallLines());
  for (std::size_t at = 0; at < text.size(); at += piece) feed.Write(text.substr(at, piece));
  auto entries = feed.Seal();
  const std::size_t fragments = (size + 7) / 8;
  REQUIRE(entries.size() == 3 + fragments);
  CHECK(entries.front().line == "before");
  CHECK(entries[entries.size() - 2].line == "after");
  CHECK(entries.back().line == "last");
  std::string joined;
  for (std::size_t i = 0; i < fragments; ++i) {
    const Entry& entry = entries[1 + i];
    CHECK(entry.mark.fragment_id == entries[1].mark.fragment_id);
    CHECK(entry.mark.fragment_id != 0);
    CHECK(entry.mark.fragment_index == i);
    CHECK(entry.mark.fragment_last == (i + 1 == fragments));
    CHECK(entry.mark.truncated_bytes == 0);
    CHECK_FALSE(entry.mark.unterminated);
    joined += entry.line;
  }
  CHECK(joined == line);
  CHECK(feed.batcher.fragmented_lines() == 1);
  CHECK(feed.batcher.truncated_lines() == 0);
}

TEST_CASE("a line over the hard limit is cut and keeps its length", "[shipper][batcher]") {
  const std::size_t size = GENERATE(33U, 40U, 1000U);
  const std::size_t piece = GENERATE(1U, 7U, 2000U);
  CAPTURE(size, piece);
  std::string text = std::string(size, 'x') + "\nnext\n";
  Feed feed(SmallLines());
  for (std::size_t at = 0; at < text.size(); at += piece) feed.Write(text.substr(at, piece));
  auto entries = feed.Seal();
  REQUIRE(entries.size() == 5);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < 4; ++i) kept += entries[i].line.size();
  CHECK(kept == 32);
  CHECK(entries[2].mark.truncated_bytes == 0);
  CHECK(entries[3].mark.truncated_bytes == size);
  CHECK(entries[3].mark.fragment_last);
  CHECK(entries[4].line == "next");
  CHECK(feed.batcher.truncated_lines() == 1);
}

TEST_CASE("a long last line without newline ends in a fragment that says so",
          "[shipper][batcher]") {
  Feed feed(SmallLines());
  feed.Write("abcdefghij");
  feed.End();
  auto entries = feed.Seal();
  REQUIRE(entries.size() == 2);
  CHECK(entries[1].line == "ij");
  CHECK(entries[1].mark.fragment_last);
  CHECK(entries[1].mark.unterminated);
}

TEST_CASE("two long lines have different ids", "[shipper][batcher]") {
  Feed feed(SmallLines());
  feed.Write("abcdefghij\n", Output::kStdout);
  feed.Write("klmnopqrst\n", Output::kStderr);
  auto entries = feed.Seal();
  REQUIRE(entries.size() == 4);
  CHECK(entries[0].mark.fragment_id != entries[2].mark.fragment_id);
}

TEST_CASE("times rise by one within a read and never meet the next read", "[shipper][batcher]") {
  Feed feed;
  feed.Write("a\nb\nc\n");
  feed.Write("d\n", Output::kStderr);  // at the same moment
  feed.clock.Advance(2ns);             // less than the entries have taken
  feed.Write("e\n");
  feed.clock.Advance(1s);
  feed.Write("f\n");
  auto entries = feed.Seal();
  REQUIRE(entries.size() == 6);
  for (std::size_t i = 1; i < entries.size(); ++i) {
    CHECK(entries[i].time_ns > entries[i - 1].time_ns);
  }
  CHECK(entries[4].time_ns == ManualClock::kStartNs + 4);
  CHECK(entries[5].time_ns == ManualClock::kStartNs + 1'000'000'002);
}

TEST_CASE("a small step back of the wall clock is smoothed, a large one followed",
          "[shipper][batcher]") {
  Feed feed;
  feed.Write("a\n");
  feed.clock.SetWall(LogTimeOf(ManualClock::kStartNs) - 900ms);
  feed.Write("b\n");
  feed.clock.SetWall(LogTimeOf(ManualClock::kStartNs) - 2h);
  feed.Write("c\n");
  auto entries = feed.Seal();
  REQUIRE(entries.size() == 3);
  CHECK(entries[1].time_ns == ManualClock::kStartNs + 1);
  CHECK(LogTimeOf(entries[2].time_ns) == LogTimeOf(ManualClock::kStartNs) - 2h);
}

TEST_CASE("a batch is full at its size", "[shipper][batcher]") {
  BatcherOptions options;
  options.batch_bytes = 64_KiB;
  Feed feed(options);
  feed.Write(std::string(60 * 1024, 'x') + "\n");
  CHECK_FALSE(feed.batcher.full());
  feed.Write(std::string(8 * 1024, 'y') + "\n");
  CHECK(feed.batcher.full());
  feed.Seal();
  CHECK_FALSE(feed.batcher.full());
}

TEST_CASE("an over-long line does not cost its size for good", "[shipper][batcher]") {
  Feed feed;
  feed.Write(std::string(600 * 1024, 'x') + "\n");
  const Batcher::Content content = feed.batcher.Seal();
  CHECK(feed.batcher.buffer_bytes() < content.lines.size() + 64);
}

TEST_CASE("buffers of a large batch are given back when it is sealed, not before",
          "[shipper][batcher]") {
  Feed feed;
  const std::string line(600 * 1024, 'x');
  feed.Write(line + "\n");
  const std::size_t bytes = feed.batcher.buffer_bytes();
  REQUIRE(bytes > line.size());
  feed.batcher.ReleaseBuffers(0);
  CHECK(feed.batcher.buffer_bytes() == bytes);
  CHECK(feed.SealLines().size() == 3);  // fragments
  feed.batcher.ReleaseBuffers(0);
  CHECK(feed.batcher.buffer_bytes() == bytes);  // the next one like it will take as much
  feed.Write("short\n");
  Batcher::Content content = feed.batcher.Seal();
  CHECK(content.lines.size() < 300 * 1024);
  CHECK(std::string_view(content.lines.data(), content.lines_bytes) == "short\n");
  CHECK(content.columns.line_lengths == std::vector<std::uint32_t>{5});
  CHECK(content.columns.marks.empty());
  CHECK(content.lines_before[0] == 3);
  feed.batcher.ReleaseBuffers(1_MiB);
  CHECK(content.lines.size() > 0);  // what is not larger than that is kept
}

TEST_CASE("the first line after a silence is due sooner than one of a busy output",
          "[shipper][batcher]") {
  Feed feed;
  CHECK_FALSE(feed.batcher.deadline());
  SteadyTime start = feed.clock.Steady();
  feed.Write("first\n");
  CHECK(feed.batcher.deadline() == start + 300ms);
  feed.clock.Advance(100ms);
  feed.Write("second\n");
  CHECK(feed.batcher.deadline() == start + 300ms);
  feed.Seal();
  CHECK_FALSE(feed.batcher.deadline());
  feed.clock.Advance(999ms);
  feed.Write("busy\n");
  CHECK(feed.batcher.deadline() == feed.clock.Steady() + 1s);
  feed.Seal();
  feed.clock.Advance(1s);
  feed.Write("idle\n");
  CHECK(feed.batcher.deadline() == feed.clock.Steady() + 300ms);
}

TEST_CASE("an unfinished line alone does not make a batch", "[shipper][batcher]") {
  Feed feed;
  feed.Write("no newline");
  CHECK(feed.batcher.empty());
  CHECK_FALSE(feed.batcher.deadline());
}

TEST_CASE("totals count entries and bytes by output, over all batches and in this one",
          "[shipper][batcher]") {
  Feed feed;
  feed.Write("abc\nde\n");
  feed.Write("x\n", Output::kStderr);
  Totals first{OutputTotals{2, 5, ManualClock::kStartNs + 1},
               OutputTotals{1, 1, ManualClock::kStartNs + 2}};
  CHECK(feed.batcher.pending() == first);
  auto content = feed.batcher.Seal();
  CHECK(content.totals == first);
  CHECK(feed.batcher.pending() == Totals{});
  feed.Write("more\n");
  CHECK(LinesOf(feed.batcher.pending()) == 1);
  CHECK(LinesOf(feed.batcher.captured()) == 4);
}

BatcherOptions LimitedTo(std::uint64_t rate) {
  BatcherOptions options;
  options.rate_limit = rate;
  return options;
}

TEST_CASE("lines over the rate are left out whole and counted", "[shipper][batcher]") {
  Feed feed(LimitedTo(20));
  feed.Write("aaaa\nbbbb\ncccc\ndddd\neeee\nffff\nbeg");
  CHECK(feed.SealLines() == Lines{"aaaa", "bbbb", "cccc", "dddd"});
  Totals limited = feed.batcher.TakeLimited();
  CHECK(limited[0].lines == 2);
  CHECK(limited[0].bytes == 8);
  CHECK(limited[0].last_time_ns > 0);
  CHECK(feed.batcher.captured()[0].lines == 6);
  CHECK(feed.batcher.TakeLimited() == Totals{});
  feed.clock.Advance(400ms);
  feed.Write("inning\ngggg\n", Output::kStdout);
  CHECK(feed.SealLines() == Lines{"beginning"});
  CHECK(feed.batcher.TakeLimited()[0].lines == 1);
}

TEST_CASE("both outputs share the rate", "[shipper][batcher]") {
  Feed feed(LimitedTo(10));
  feed.Write("aaaa\n", Output::kStdout);
  feed.Write("bbbb\n", Output::kStderr);
  feed.Write("cccc\n", Output::kStdout);
  feed.Write("last", Output::kStderr);
  feed.End(Output::kStderr);
  CHECK(feed.SealLines() == Lines{"aaaa", "bbbb"});
  Totals limited = feed.batcher.TakeLimited();
  CHECK(limited[0].lines == 1);
  CHECK(limited[1].lines == 1);
  CHECK(limited[1].bytes == 4);
}

TEST_CASE("an over-long line passes the rate limit whole or not at all", "[shipper][batcher]") {
  BatcherOptions options = LimitedTo(1000);
  options.fragment_bytes = 100;
  options.max_line_bytes = 400;
  Feed feed(options);
  feed.Write(std::string(3000, 'x') + "\n");  // into debt
  auto entries = feed.Seal();
  REQUIRE(entries.size() == 4);
  CHECK(entries[3].mark.truncated_bytes == 3000);
  feed.Write(std::string(1000, 'y'));  // 404 are charged: this one passes as well, in fragments
  feed.Write(std::string(1000, 'y') + "\n");
  CHECK(feed.Seal().size() == 4);
  feed.Write(std::string(200, 'z') + "\n");
  CHECK(feed.Seal().size() == 2);
  feed.Write(std::string(700, 'v'));
  feed.Write(std::string(700, 'v') + "\nshort\n");
  feed.Write(std::string(300, 'w'));
  feed.End();
  CHECK(feed.Seal().empty());
  Totals limited = feed.batcher.TakeLimited();
  CHECK(limited[0].lines == 3);
  CHECK(limited[0].bytes == 1400 + 5 + 300);
  feed.clock.Advance(2s);
  feed.Write("again\n");
  CHECK(feed.SealLines() == Lines{"again"});
  CHECK(feed.batcher.captured()[0].lines == 4 + 4 + 2 + 3 + 1);
}

TEST_CASE("random text in random pieces comes out as it went in", "[shipper][batcher]") {
  std::mt19937 random(7);
  auto upto = [&random](std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(0, most)(random);
  };
  for (int round = 0; round < 50; ++round) {
    BatcherOptions options;
    options.fragment_bytes = 32;
    options.max_line_bytes = 1024;
    options.batch_bytes = 200;
    Feed feed(options);
    std::array<std::string, kOutputs> written;
    std::array<std::string, kOutputs> read;
    auto collect = [&] {
      for (const Entry& entry : feed.Seal()) {
        std::string& into = read[IndexOf(entry.output)];
        into += entry.line;
        bool ends_line = entry.mark.fragment_id == 0 || entry.mark.fragment_last;
        if (ends_line && !entry.mark.unterminated) into.push_back('\n');
      }
    };
    for (int i = 0; i < 200; ++i) {
      std::string piece;
      for (std::size_t n = upto(60); n > 0; --n) {
        piece.push_back(upto(20) == 0 ? '\n' : static_cast<char>(upto(255)));
      }
      Output output = OutputAt(upto(1));
      written[IndexOf(output)] += piece;
      feed.Write(piece, output);
      if (feed.batcher.full()) collect();
    }
    feed.End(Output::kStdout);
    feed.End(Output::kStderr);
    collect();
    CHECK(read == written);
  }
}

}  // namespace
}  // namespace dunlin::shipper
