// Fills a store from a text file and times searches, without network and decoding: what the store
// alone costs. Prints one "name value" pair per line.
//
//   store_bench FILE FOLDER [STREAMS [SERVICES [NS]]]
//
// Lines go to streams in runs of 50, NS nanoseconds apart (1 ms). FOLDER must not exist; it is left
// behind for a look.
#include <sys/resource.h>
#include <zstd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/store.h"
#include "protocol/base/coding.h"
#include "protocol/base/text.h"
#include "tests/bench/cpu_seconds.h"
#include "tests/bench/no_decoder.h"

namespace dunlin::store {
namespace {

constexpr std::size_t kRun = 50;
constexpr std::size_t kBatchLines = 1000;
constexpr std::size_t kBatchBytes = 512 * 1024;
constexpr std::size_t kMaxInFlight = 16;
constexpr std::int64_t kFirstTime = 1'767'225'600'000'000'000;
constexpr std::int64_t kMinute = 60'000'000'000;

double PeakMemoryMiB() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void Print(std::string_view name, double value) {
  std::printf("%-28.*s %12.3f\n", static_cast<int>(name.size()), name.data(), value);
  std::fflush(stdout);
}

class Filler {
 public:
  Filler(Store& store, std::size_t streams, std::size_t services, std::int64_t line_ns)
      : store_(store), line_ns_(line_ns) {
    for (std::size_t i = 0; i < streams; ++i) {
      streams_.push_back(LabelSet{{"project", "bench"},
                                  {"service", Join("service-", i % services)},
                                  {"container", Join("container-", i)},
                                  {"output", "stdout"}});
      pending_.emplace_back();
      pending_.back().reserve(1 << 20);
      times_.emplace_back();
    }
  }

  void Add(std::string_view line) {
    std::size_t stream = lines_++ / kRun % streams_.size();
    pending_[stream].append(line);
    pending_[stream].push_back('\n');
    times_[stream].push_back(kFirstTime + static_cast<std::int64_t>(lines_) * line_ns_);
    if (times_[stream].size() == kBatchLines) Send(stream);
  }

  void Finish() {
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      if (!times_[i].empty()) Send(i);
    }
    while (!in_flight_.empty()) WaitForOldest();
  }

  /// CPU spent on compressing payloads, which is the agents' work.
  double sender_cpu() const { return sender_cpu_; }

 private:
  void Send(std::size_t stream) {
    AppendRequest request;
    RowBatch& rows = request.rows;
    rows.text = pending_[stream];
    rows.streams.push_back(streams_[stream]);
    rows.metadata.push_back(LabelSet{{"detected_level", "info"}});
    rows.metadata.push_back(LabelSet{{"detected_level", "error"}});
    std::string_view text = rows.text;
    while (!text.empty()) {
      std::size_t end = text.find('\n');
      Row row;
      row.time_ns = times_[stream][rows.rows.size()];
      row.line = text.substr(0, end);
      row.metadata = row.line.find("rror") == std::string_view::npos ? 1 : 2;
      rows.rows.push_back(row);
      text.remove_prefix(end + 1);
    }
    double begin = CpuSeconds();
    request.payload.resize(ZSTD_compressBound(rows.text.size()));
    request.payload.resize(ZSTD_compress(request.payload.data(), request.payload.size(),
                                         rows.text.data(), rows.text.size(), 1));
    sender_cpu_ += CpuSeconds() - begin;
    if (in_flight_.size() == kMaxInFlight) WaitForOldest();
    auto answer = std::make_shared<std::promise<bool>>();
    in_flight_.push_back(answer->get_future());
    store_.Append(std::move(request), [answer](Result<AppendOutcome> outcome) {
      if (!outcome) std::fprintf(stderr, "%s\n", outcome.error().message().c_str());
      answer->set_value(outcome.has_value());
    });
    pending_[stream].clear();
    times_[stream].clear();
  }

  void WaitForOldest() {
    if (!in_flight_.front().get()) std::exit(1);
    in_flight_.erase(in_flight_.begin());
  }

  Store& store_;
  std::vector<LabelSet> streams_;
  std::vector<std::string> pending_;
  std::vector<std::vector<std::int64_t>> times_;  // of the lines pending
  std::vector<std::future<bool>> in_flight_;
  std::size_t lines_ = 0;
  const std::int64_t line_ns_;
  double sender_cpu_ = 0;
};

struct Query {
  std::string name;
  std::vector<LineFilter> filters = {};
  Order order = Order::kUnordered;
  std::size_t limit = SIZE_MAX;
  std::string service = {};
};

void RunQuery(Store& store, const Query& query) {
  double best_wall = 1e9;
  double best_cpu = 1e9;
  std::size_t rows = 0;
  std::uint64_t pruned = 0;
  for (int round = 0; round < 5; ++round) {
    ScanRequest request;
    request.start_ns = 0;
    request.end_ns = INT64_MAX;
    request.line_filters = query.filters;
    request.order = query.order;
    request.limit = query.limit;
    if (!query.service.empty()) {
      request.stream_matches = [&](const LabelSet& labels) {
        return labels.Get("service") == query.service;
      };
    }
    rows = 0;
    double cpu = CpuSeconds();
    auto begin = std::chrono::steady_clock::now();
    auto stats = store.Scan(request, [&](const ScannedRow&) { return ++rows < query.limit; });
    std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
    if (!stats) std::exit(1);
    pruned = stats->blocks_pruned;
    best_wall = std::min(best_wall, wall.count());
    best_cpu = std::min(best_cpu, CpuSeconds() - cpu);
  }
  std::printf("%-28s %12.4f s wall %8.4f s cpu %9zu rows %6llu pruned\n", query.name.c_str(),
              best_wall, best_cpu, rows, static_cast<unsigned long long>(pruned));
  std::fflush(stdout);
}

struct Counting {
  std::string name;
  std::vector<LineFilter> filters = {};
  std::int64_t offset_ns = 0;  // of the borders of minutes
  bool by_level = false;
  bool bytes = false;
  bool whole = false;  // all in one interval
};

/// Counts per minute and service, as a histogram asks for.
void RunCounting(Store& store, const Counting& counting) {
  double best_wall = 1e9;
  double best_cpu = 1e9;
  CountResult result;
  for (int round = 0; round < 5; ++round) {
    std::vector<std::string> groups;
    CountRequest request;
    std::int64_t last = store.Stats().newest_time_ns;
    request.edges.push_back(kFirstTime - kMinute + counting.offset_ns);
    while (request.edges.back() < last) {
      request.edges.push_back(request.edges.back() + kMinute);
    }
    if (counting.whole) request.edges = {request.edges.front(), request.edges.back()};
    request.line_filters = counting.filters;
    request.bytes = counting.bytes;
    if (counting.by_level) request.metadata.names = {"detected_level"};
    request.group_of = [&](const LabelSet& stream, const LabelSet& metadata) {
      std::string name = Join(stream.Get("service"), metadata.Get("detected_level"));
      auto found = std::find(groups.begin(), groups.end(), name);
      if (found == groups.end()) found = groups.insert(groups.end(), name);
      return static_cast<std::size_t>(found - groups.begin());
    };
    double cpu = CpuSeconds();
    auto begin = std::chrono::steady_clock::now();
    auto counted = store.Count(request);
    std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
    if (!counted) std::exit(1);
    result = *std::move(counted);
    best_wall = std::min(best_wall, wall.count());
    best_cpu = std::min(best_cpu, CpuSeconds() - cpu);
  }
  std::printf("%-28s %12.4f s wall %8.4f s cpu %9llu rows %6llu blocks\n", counting.name.c_str(),
              best_wall, best_cpu, static_cast<unsigned long long>(result.stats.rows_matched),
              static_cast<unsigned long long>(result.stats.blocks_read));
  std::fflush(stdout);
}

bool Fill(Store& store, const char* path, std::size_t streams, std::size_t services,
          std::int64_t line_ns) {
  auto file = PosixFileSystem().Open(path, FileSystem::Mode::kRead);
  if (!file) return false;
  double cpu_begin = CpuSeconds();
  auto begin = std::chrono::steady_clock::now();
  Filler filler(store, streams, services, line_ns);
  std::string buffer;
  std::uint64_t position = 0;
  for (;;) {
    std::size_t have = buffer.size();
    buffer.resize(have + (1 << 20));
    auto got = (*file)->ReadAt(position, buffer.data() + have, 1 << 20);
    if (!got) return false;
    buffer.resize(have + *got);
    position += *got;
    if (*got == 0) break;
    std::string_view rest = buffer;
    for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      filler.Add(rest.substr(0, end));
      rest.remove_prefix(end + 1);
    }
    buffer.erase(0, buffer.size() - rest.size());
  }
  filler.Finish();
  if (!store.Flush()) return false;
  if (!store.Compact()) return false;
  std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  Print("ingest_wall_s", wall.count());
  Print("ingest_cpu_s", CpuSeconds() - cpu_begin - filler.sender_cpu());
  Print("sender_cpu_s", filler.sender_cpu());
  Print("ingest_peak_memory_mib", PeakMemoryMiB());
  return true;
}

int Main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: store_bench FILE FOLDER [STREAMS [SERVICES [NS [QUERY]]]]\n");
    return 2;
  }
  auto number = [&](int index, std::size_t fallback) {
    return argc > index ? ParseInteger<std::size_t>(argv[index]).value_or(fallback) : fallback;
  };
  std::size_t streams = number(3, 32);
  std::size_t services = number(4, streams);

  StoreOptions options;
  options.data_dir = argv[2];
  auto opened =
      Store::Open(PosixFileSystem(), SystemClock(), options, std::make_shared<NoDecoder>());
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().message().c_str());
    return 1;
  }
  Store& store = **opened;

  if (std::string_view(argv[1]) != "-" &&
      !Fill(store, argv[1], streams, services, static_cast<std::int64_t>(number(5, 1'000'000)))) {
    return 1;
  }
  StoreStats stats = store.Stats();
  Print("lines", static_cast<double>(stats.lines));
  Print("text_mb", static_cast<double>(stats.uncompressed_bytes) / 1e6);
  Print("segments", static_cast<double>(stats.segments));
  Print("disk_mb", static_cast<double>(stats.disk_bytes) / 1e6);
  // What a merge has read was written once, and is gone.
  Print("segments_written_mb",
        static_cast<double>(stats.disk_bytes + stats.compaction_read_bytes_total) / 1e6);
  Print("wal_mb", static_cast<double>(stats.wal_bytes) / 1e6);
  Print("wal_syncs", static_cast<double>(stats.wal_syncs_total));

  const std::string_view only = argc > 6 ? argv[6] : "";
  const auto wanted = [only](const auto& query) { return only.empty() || query.name == only; };
  using Kind = LineFilter::Kind;
  for (const Query& query : std::vector<Query>{
           {"absent_id", {{Kind::kContains, false, "7f3a9c2d1e5b8a4f6071"}}},
           {"absent_uuid", {{Kind::kContains, false, "f47ac10b-58cc-4372-a567-0e02b2c3d479"}}},
           {"absent_word", {{Kind::kContains, false, " zanzibarquux "}}},
           {"substring_common", {{Kind::kContains, false, "PacketResponder"}}},
           {"substring_rare", {{Kind::kContains, false, "Deleting instance files"}}},
           {"case_insensitive_error", {{Kind::kRegex, false, "(?i)error"}}},
           {"regex_literal", {{Kind::kRegex, false, "blk_-?\\d+ terminating"}}},
           {"count_everything", {}},
           {"newest_1000", {}, Order::kDescending, 1000},
           {"newest_1000_filter_service",
            {{Kind::kContains, false, "Error"}},
            Order::kDescending,
            1000,
            "service-0"},
           {"oldest_5000", {}, Order::kAscending, 5000}}) {
    if (wanted(query)) RunQuery(store, query);
  }
  for (const Counting& counting : std::vector<Counting>{
           {"minutes", {}},
           {"minutes_by_level", {}, 0, true},
           {"minutes_bytes", {}, 0, false, true},
           {"minutes_half_past", {}, kMinute / 2},
           {"minutes_filter_absent", {{Kind::kContains, false, "7f3a9c2d1e5b8a4f6071"}}},
           {"minutes_filter_common", {{Kind::kContains, false, "PacketResponder"}}},
           {"whole_filter_common",
            {{Kind::kContains, false, "PacketResponder"}},
            0,
            false,
            false,
            true},
           {"whole_filter_rare",
            {{Kind::kContains, false, "Deleting instance files"}},
            0,
            false,
            false,
            true},
           {"whole_case_insensitive", {{Kind::kRegex, false, "(?i)error"}}, 0, false, false, true},
           {"whole_regex_digits",
            {{Kind::kRegex, false, "blk_-?[0-9]*77777[0-9]*"}},
            0,
            false,
            false,
            true},
           {"whole", {}, 0, false, false, true}}) {
    if (wanted(counting)) RunCounting(store, counting);
  }
  Print("peak_memory_mib", PeakMemoryMiB());
  return 0;
}

}  // namespace
}  // namespace dunlin::store

int main(int argc, char** argv) { return dunlin::store::Main(argc, argv); }
