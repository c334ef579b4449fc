#include "tests/spool/spool_fixture.h"

#include <utility>

#include "protocol/base/random.h"
#include "shipper/spool/spool_format.h"

namespace dunlin::shipper::testing {
namespace {

constexpr std::int64_t kFirstEntryNs = 1'767'225'600'000'000'000;

/// Bytes that do not repeat and hold what looks like a record's beginning now and then.
std::string FrameOf(std::uint64_t sequence, std::size_t bytes) {
  std::string frame = "frame " + std::to_string(sequence) + ": ";
  std::uint64_t state = sequence * 0x9E3779B97F4A7C15u + 1;
  while (frame.size() < bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    if (frame.size() % 8 == 4 && state % 16 == 0) {
      frame += "DSNR";
    } else {
      frame += static_cast<char>(state >> 56);
    }
  }
  return frame;
}

}  // namespace

bool SameCounts(const Totals& a, const Totals& b) {
  for (std::size_t i = 0; i < kOutputs; ++i) {
    if (a[i].lines != b[i].lines || a[i].bytes != b[i].bytes) return false;
  }
  return true;
}

SpoolFixture::SpoolFixture(SpoolOptions options) : folder(faulty, "/spool", options) {
  REQUIRE(memory.CreateDirectories("/spool"));
  REQUIRE(memory.SyncDirectory("/"));
  before_[1] = {};
}

void SpoolFixture::Create() {
  auto made = folder.Create("web-1", kBoot, kIdentity);
  if (!made) FAIL(made.error().message());
  spool = std::move(*made);
}

const MadeBatch& SpoolFixture::Seal(std::size_t bytes, bool with_gap) {
  std::uint64_t sequence = next_sequence_;
  MadeBatch batch;
  batch.info.first_sequence = batch.info.sequence = sequence;
  std::int64_t time = kFirstEntryNs + static_cast<std::int64_t>(sequence) * 1'000'000'000;
  batch.info.totals[0] = {sequence % 7 + 1, sequence * 10, time};
  if (sequence % 3 == 0) batch.info.totals[1] = {1, sequence, time + 5};
  batch.info.oldest_entry = LogTimeOf(time - 1000);
  batch.info.before = sum_;
  if (with_gap) {
    batch.info.gaps = {{static_cast<std::uint64_t>(time), wire::Output::kStdout, sequence % 5 + 1,
                        sequence * 3, "rate_limit"}};
  }
  batch.frame = FrameOf(sequence, bytes);
  Remember(std::move(batch));
  return made_.at(sequence);
}

const MadeBatch& SpoolFixture::SealGap(std::uint64_t sequences) {
  MadeBatch batch;
  batch.info.first_sequence = next_sequence_;
  batch.info.sequence = next_sequence_ + sequences - 1;
  batch.info.before = sum_;
  batch.info.oldest_entry = LogTimeOf(kFirstEntryNs);
  batch.info.gaps = {{static_cast<std::uint64_t>(kFirstEntryNs), wire::Output::kStdout,
                      sequences * 4, sequences * 40, "mem_full"}};
  batch.frame = FrameOf(batch.info.sequence, 80);
  Remember(std::move(batch));
  return made_.at(next_sequence_ - 1);
}

void SpoolFixture::Remember(MadeBatch batch) {
  before_[batch.info.first_sequence] = sum_;
  sum_ = AfterBatch(batch.info);
  next_sequence_ = batch.info.sequence + 1;
  before_[next_sequence_] = sum_;
  made_.emplace(batch.info.sequence, std::move(batch));
}

Result<void> SpoolFixture::Append(std::size_t bytes, bool with_gap) {
  return AppendSealed(Seal(bytes, with_gap));
}

Result<void> SpoolFixture::AppendSealed(const MadeBatch& batch) {
  auto appended = spool->Append(batch.info, batch.frame);
  if (appended) appended_.insert(batch.info.sequence);
  return appended;
}

void SpoolFixture::AppendMany(int count, std::size_t bytes) {
  for (int i = 0; i < count; ++i) {
    auto appended = Append(bytes, /*with_gap=*/i % 4 == 1);
    if (!appended) FAIL(appended.error().message());
  }
}

Result<void> SpoolFixture::Sync() {
  auto synced = spool->Sync();
  if (!synced) unsure_ = appended_;
  for (std::uint64_t sequence : appended_) {
    if (synced && !unsure_.contains(sequence)) synced_.insert(sequence);
  }
  return synced;
}

Result<void> SpoolFixture::Acknowledge(std::uint64_t sequence) {
  acknowledged_ = std::max(acknowledged_, sequence);
  return spool->Acknowledge(sequence);
}

Result<std::optional<SpoolDrop>> SpoolFixture::DropOldest(std::uint64_t first_unsent) {
  auto dropped = spool->DropOldest(first_unsent, "spool_full");
  if (!dropped || !*dropped) return dropped;
  const SpoolDrop& drop = **dropped;
  CHECK(drop.first_sequence >= first_unsent);
  SpoolBatchInfo info;
  info.gaps = drop.gaps;
  CHECK(SameCounts(AccountedFor(info), Accounted(drop.first_sequence, drop.sequence)));
  for (auto sequence = drop.first_sequence; sequence <= drop.sequence; ++sequence) {
    dropped_.insert(sequence);
  }
  return dropped;
}

void SpoolFixture::Kill() {
  memory.Kill();
  spool.reset();
  faulty.Heal();
}

void SpoolFixture::PowerFailure(std::optional<std::uint64_t> torn_seed) {
  torn_seed ? memory.CrashTorn(*torn_seed) : memory.Crash();
  spool.reset();
  faulty.Heal();
}

bool SpoolFixture::Adopt(Spool::Unreadable unreadable) {
  auto orphans = folder.Orphans("web-1");
  if (!orphans) FAIL(orphans.error().message());
  if (orphans->empty()) return false;
  REQUIRE(orphans->size() == 1);
  CHECK(orphans->front().boot == ToHex(kBoot));
  auto adopted = folder.Adopt(orphans->front(), unreadable);
  if (!adopted) FAIL(adopted.error().message());
  spool = std::move(*adopted);
  if (!spool->empty()) CHECK(spool->identity() == kIdentity);
  return true;
}

Totals SpoolFixture::Accounted(std::uint64_t first, std::uint64_t last) const {
  return Difference(before_.at(first), before_.at(last + 1));
}

bool SpoolFixture::MayBeLost(std::uint64_t sequence, After what) const {
  // A gap batch is known by its last sequence.
  std::uint64_t batch = made_.lower_bound(sequence)->first;
  switch (what) {
    case After::kNothing:
    case After::kKill:
      return dropped_.contains(sequence) || !appended_.contains(batch);
    case After::kPowerFailure:
      return dropped_.contains(sequence) || !synced_.contains(batch);
    case After::kDamage:
      return true;
  }
  return false;
}

std::set<std::uint64_t> SpoolFixture::CheckAll(After what) {
  std::set<std::uint64_t> gaps;
  std::uint64_t next = spool->first_sequence();
  // What it was told to forget stays forgotten; a power failure may bring back what was not synced.
  if (what == After::kNothing) CHECK(next == acknowledged_ + 1);
  while (next <= spool->last_sequence()) {
    CAPTURE(next);
    auto batch = spool->Read(next);
    if (!batch) FAIL(batch.error().message());
    CHECK(batch->first_sequence == next);
    REQUIRE(batch->sequence >= next);
    REQUIRE(batch->sequence <= spool->last_sequence());
    if (batch->frame.empty()) {
      SpoolBatchInfo info;
      info.gaps = batch->gaps;
      Totals told = AccountedFor(info);
      Totals sealed = Accounted(next, batch->sequence);
      CAPTURE(batch->sequence, spool->first_sequence(), spool->last_sequence(), told[0].lines,
              sealed[0].lines, acknowledged_, dropped_);
      CHECK(SameCounts(told, sealed));
      for (; next <= batch->sequence; ++next) {
        CAPTURE(next);
        CHECK(MayBeLost(next, what));
        gaps.insert(next);
      }
    } else {
      const MadeBatch& made = made_.at(batch->sequence);
      CHECK(batch->frame == made.frame);
      CHECK(batch->first_sequence == made.info.first_sequence);
      CHECK(batch->totals == made.info.totals);
      CHECK(batch->gaps == made.info.gaps);
      next = batch->sequence + 1;
    }
  }
  // Nothing may be missing at the end either.
  for (std::uint64_t sequence = std::max(next, acknowledged_ + 1); sequence < next_sequence_;
       ++sequence) {
    CAPTURE(sequence);
    CHECK(MayBeLost(sequence, what));
  }
  return gaps;
}

std::vector<std::string> SpoolFixture::Segments() {
  std::vector<std::string> segments;
  for (const std::string& path : memory.Files(Folder())) {
    if (path.ends_with(".spool")) segments.push_back(path);
  }
  return segments;
}

}  // namespace dunlin::shipper::testing
