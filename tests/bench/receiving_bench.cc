// What it costs the collector to make an agent's batches durable: frames cut and checked, batches
// decompressed into rows, duplicates decided, the log written and synced. No network and no
// segments, so that a profiler sees this path alone. Prints one "name value" pair per line.
//
//   receiving_bench FILE FOLDER [MEGABYTES]
//
// Reads that much of FILE (100), cuts it into batches of 128 KiB as an agent does, and receives
// them. FOLDER must exist; the log in it is removed at the end.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "collector/ingest/batch_rows.h"
#include "collector/store/dedup.h"
#include "collector/store/head.h"
#include "collector/store/wal_writer.h"
#include "protocol/wire/batch.h"
#include "protocol/wire/frame.h"
#include "tests/bench/cpu_seconds.h"
#include "tests/support/batch_frame.h"

namespace dunlin {
namespace {

constexpr std::size_t kBatchBytes = 128_KiB;
constexpr std::size_t kReadBytes = 64_KiB;  // what the loop reads at once
constexpr std::size_t kGroup = 8;           // batches per sync, as one for each of eight agents

/// CPU seconds by step.
struct Costs {
  double frames = 0;
  double rows = 0;
  double log = 0;
  double head = 0;
};

template <typename Step>
void Measure(double& seconds, Step step) {
  double begin = CpuSeconds();
  step();
  seconds += CpuSeconds() - begin;
}

std::vector<std::string> FramesOf(std::string_view text) {
  std::vector<std::string> frames;
  wire::Columns columns;
  wire::BatchHeader header;
  while (!text.empty()) {
    columns.Clear();
    while (!text.empty() && columns.lines.size() < kBatchBytes) {
      std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
      std::string_view line = text.substr(0, end);
      text.remove_prefix(end);
      if (line.ends_with('\n')) line.remove_suffix(1);
      columns.line_lengths.push_back(static_cast<std::uint32_t>(line.size()));
      columns.lines += line;
      columns.lines += '\n';
    }
    ++header.sequence;
    columns.runs.push_back(
        {wire::Output::kStdout, static_cast<std::uint32_t>(columns.line_lengths.size()),
         1'795'000'000'000'000'000 + static_cast<std::int64_t>(header.sequence)});
    frames.push_back(testing::BatchFrame(header, columns));
  }
  return frames;
}

ingest::OutputStreams Streams() {
  ingest::OutputStreams streams;
  LabelSet labels{{"project", "shop"}, {"service", "web"}, {"container", "web-1"}};
  labels.Set("output", "stdout");
  streams.standard_output = labels;
  labels.Set("output", "stderr");
  streams.standard_error = labels;
  return streams;
}

class Receiver {
 public:
  explicit Receiver(const std::string& folder)
      : wal_(PosixFileSystem(), SystemClock(), {folder, 64_MiB, 1}, 1, 1, {}) {}

  void Receive(std::string_view stream) {
    while (!stream.empty()) {
      std::string_view bytes = stream.substr(0, kReadBytes);
      stream.remove_prefix(bytes.size());
      Measure(costs_.frames, [&] { frames_.Feed(bytes); });
      while (NextFrame()) {
        if (group_.size() == kGroup) Commit();
      }
    }
    Commit();
  }

  const Costs& costs() const { return costs_; }
  std::uint64_t lines() const { return lines_; }
  store::WalWriter::Stats wal() const { return wal_.stats(); }
  void CleanUp() { wal_.RemoveCovered(next_lsn_); }

 private:
  struct Item {
    std::string payload;
    store::BatchId id;
    store::RowBatch rows;
  };

  bool NextFrame() {
    bool more = false;
    Item item;
    Measure(costs_.frames, [&] {
      auto frame = frames_.Next();
      Check(frame.has_value(), "frames are intact");
      if (!*frame) return;
      more = true;
      item.payload = (*frame)->payload;
    });
    if (!more) return false;
    Measure(costs_.rows, [&] {
      auto batch = wire::DecodeBatch(item.payload);
      Check(batch.has_value(), "batches are intact");
      item.id.sequence = batch->header.sequence;
      auto rows = reader_.Read(*batch, streams_);
      Check(rows.has_value(), "batches can be read");
      item.rows = std::move(*rows);
    });
    lines_ += item.rows.rows.size();
    group_.push_back(std::move(item));
    return true;
  }

  void Commit() {
    if (group_.empty()) return;
    Measure(costs_.log, [&] {
      store::DedupGroup decisions(dedup_);
      std::vector<store::WalBatch> batches;
      for (const Item& item : group_) {
        store::AppendRequest request;
        request.id = item.id;
        Check(decisions.Decide(request, 0) == store::AppendOutcome::kStored, "batches are new");
        batches.push_back({item.id, {}, 0, 1, "context", item.payload});
      }
      auto first = wal_.Commit(batches);
      Check(first.has_value(), "the log takes the group");
      next_lsn_ = *first + batches.size();
      for (const Item& item : group_) dedup_.Add(item.id, {}, 0);
    });
    Measure(costs_.head, [&] {
      store::Lsn lsn = next_lsn_ - group_.size();
      for (const Item& item : group_) head_->Append(item.rows, lsn++);
      // As when the head is frozen: what writes it to segments is another thread's work.
      if (head_->memory_bytes() >= 96_MiB) MakeHead();
    });
    group_.clear();
  }

  void MakeHead() { head_ = std::make_unique<store::Head>(table_, 0, next_lsn_ - 1, SteadyTime{}); }

  store::WalWriter wal_;
  store::DedupState dedup_;
  store::StreamTable table_;
  std::unique_ptr<store::Head> head_ = std::make_unique<store::Head>(table_, 0, 0, SteadyTime{});
  wire::FrameReader frames_;
  ingest::BatchRowReader reader_;
  ingest::OutputStreams streams_ = Streams();
  std::vector<Item> group_;
  store::Lsn next_lsn_ = 1;
  std::uint64_t lines_ = 0;
  Costs costs_;
};

void Print(const char* name, double value) { std::printf("%-24s %10.3f\n", name, value); }

int Run(const char* file, const char* folder, std::size_t megabytes) {
  auto text = ReadFile(PosixFileSystem(), file);
  if (!text) {
    std::fprintf(stderr, "%s\n", text.error().message().c_str());
    return 1;
  }
  text->resize(std::min(text->size(), megabytes * 1'000'000));
  std::string stream;
  for (const std::string& frame : FramesOf(*text)) stream += frame;
  Receiver receiver(folder);
  auto begin = std::chrono::steady_clock::now();
  receiver.Receive(stream);
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const Costs& costs = receiver.costs();
  Print("text_mb", static_cast<double>(text->size()) / 1e6);
  Print("lines", static_cast<double>(receiver.lines()));
  Print("sent_mb", static_cast<double>(stream.size()) / 1e6);
  Print("frames_cpu_s", costs.frames);
  Print("rows_cpu_s", costs.rows);
  Print("log_cpu_s", costs.log);
  Print("head_cpu_s", costs.head);
  Print("receiving_cpu_s", costs.frames + costs.rows + costs.log);
  Print("wall_s", took.count());
  Print("syncs", static_cast<double>(receiver.wal().syncs_total));
  Print("sync_ms",
        receiver.wal().sync_seconds_total * 1000 / static_cast<double>(receiver.wal().syncs_total));
  receiver.CleanUp();
  return 0;
}

}  // namespace
}  // namespace dunlin

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::fprintf(stderr, "usage: receiving_bench FILE FOLDER [MEGABYTES]\n");
    return 2;
  }
  std::size_t megabytes = argc == 4 ? std::strtoull(argv[3], nullptr, 10) : 100;
  return dunlin::Run(argv[1], argv[2], megabytes);
}
