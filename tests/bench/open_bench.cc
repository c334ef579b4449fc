// How long a store of many segments takes to open, and to answer a first search.
//
//   open_bench FILE FOLDER SEGMENTS
//
// Writes SEGMENTS segments of 500 lines of FILE, in 32 streams, to a store in FOLDER, which must
// not exist, closes it and opens it again. Prints one "name value" pair per line.
#include <chrono>
#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "collector/store/store.h"
#include "protocol/base/coding.h"
#include "protocol/base/text.h"
#include "tests/bench/cpu_seconds.h"
#include "tests/bench/no_decoder.h"

namespace dunlin::store {
namespace {

constexpr std::size_t kStreams = 32;
constexpr std::size_t kLines = 500;
constexpr std::int64_t kFirstTime = 1'767'225'600'000'000'000;
constexpr int kRounds = 5;

std::unique_ptr<Store> Open(const char* folder) {
  StoreOptions options;
  options.data_dir = folder;
  options.compact_by_itself = false;
  auto opened =
      Store::Open(PosixFileSystem(), SystemClock(), options, std::make_shared<NoDecoder>());
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().message().c_str());
    std::exit(1);
  }
  return std::move(*opened);
}

/// Takes the lines of a segment from the front of `text`.
void WriteSegment(Store& store, std::string_view& text, std::int64_t& time_ns) {
  AppendRequest request;
  RowBatch& rows = request.rows;
  for (std::size_t i = 0; i < kStreams; ++i) {
    rows.streams.push_back(LabelSet{{"service", Join("service-", i)}, {"output", "stdout"}});
  }
  rows.metadata.push_back(LabelSet{{"detected_level", "info"}});
  for (std::size_t i = 0; i < kLines && !text.empty(); ++i) {
    const std::size_t end = text.find('\n');
    Row row;
    row.time_ns = time_ns += 1'000'000;
    row.line = text.substr(0, end);
    row.stream = static_cast<std::uint32_t>(i % kStreams);
    rows.rows.push_back(row);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  request.payload = "not replayed";
  std::promise<bool> done;
  store.Append(std::move(request),
               [&done](Result<AppendOutcome> outcome) { done.set_value(outcome.has_value()); });
  if (!done.get_future().get() || !store.Flush()) std::exit(1);
}

/// Lines that hold `word`.
std::size_t Search(Store& store, std::string_view word) {
  ScanRequest request;
  request.end_ns = INT64_MAX;
  request.line_filters = {{LineFilter::Kind::kContains, false, std::string(word)}};
  request.order = Order::kUnordered;
  std::size_t rows = 0;
  if (!store.Scan(request, [&](const ScannedRow&) { return ++rows > 0; })) std::exit(1);
  return rows;
}

int Main(int argc, char** argv) {
  const auto segments = argc == 4 ? ParseInteger<std::size_t>(argv[3]) : std::nullopt;
  if (!segments) {
    std::fprintf(stderr, "usage: open_bench FILE FOLDER SEGMENTS\n");
    return 2;
  }
  std::string text(*segments * kLines * 400, '\0');
  auto file = PosixFileSystem().Open(argv[1], FileSystem::Mode::kRead);
  auto got = file ? (*file)->ReadAt(0, text.data(), text.size()) : Result<std::size_t>(0);
  if (!file || !got || *got == 0) {
    std::fprintf(stderr, "cannot read %s\n", argv[1]);
    return 1;
  }
  text.resize(*got);
  {
    auto store = Open(argv[2]);
    std::string_view left = text;
    std::int64_t time_ns = kFirstTime;
    for (std::size_t i = 0; i < *segments; ++i) {
      if (left.empty()) left = text;
      WriteSegment(*store, left, time_ns);
    }
  }
  double wall = 1e9;
  double cpu = 1e9;
  double search = 1e9;
  StoreStats stats;
  std::size_t rows = 0;
  for (int round = 0; round < kRounds; ++round) {
    const double cpu_begin = CpuSeconds();
    const auto begin = std::chrono::steady_clock::now();
    auto store = Open(argv[2]);
    const std::chrono::duration<double> opened = std::chrono::steady_clock::now() - begin;
    wall = std::min(wall, opened.count());
    cpu = std::min(cpu, CpuSeconds() - cpu_begin);
    rows = Search(*store, "PacketResponder");
    const std::chrono::duration<double> searched = std::chrono::steady_clock::now() - begin;
    search = std::min(search, (searched - opened).count());
    stats = store->Stats();
  }
  std::printf(
      "segments %zu\nlines %llu\nopen_wall_s %.4f\nopen_cpu_s %.4f\nfirst_search_s %.4f\n"
      "found %zu\n",
      static_cast<std::size_t>(stats.segments), static_cast<unsigned long long>(stats.lines), wall,
      cpu, search, rows);
  return stats.segments == *segments ? 0 : 1;
}

}  // namespace
}  // namespace dunlin::store

int main(int argc, char** argv) { return dunlin::store::Main(argc, argv); }
