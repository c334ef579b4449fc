#include <cerrno>
#include <random>

#include "tests/spool/spool_fixture.h"

// Random stories of one spool beside a model that remembers everything (spool_fixture.h), with
// calls that fail and machines that die at every point of them.
namespace dunlin::shipper::testing {
namespace {

using Lasting = dunlin::testing::FaultyFileSystem::Lasting;
using Call = dunlin::testing::FaultyFileSystem::Call;
using After = SpoolFixture::After;

constexpr SpoolOptions kSmall{.limit_bytes = 8_KiB, .max_age = {}, .segment_bytes = 1_KiB};

/// An owner of a spool: seals, appends, reads in order as a sender does, acknowledges only what was
/// read and drops only what was not.
class Story {
 public:
  Story(SpoolFixture& fixture, std::uint64_t seed) : fixture_(fixture), random_(seed) {}

  /// `dead` tells when the machine has died under it.
  void Run(int steps, const bool& dead) {
    for (int i = 0; i < steps && !dead; ++i) Step();
  }

 private:
  void Step() {
    switch (random_() % 16) {
      case 0:
        fixture_.Seal();  // kept in memory only
        break;
      case 1: {
        [[maybe_unused]] auto appended = fixture_.AppendSealed(fixture_.SealGap(random_() % 4 + 1));
        break;
      }
      case 2: {
        [[maybe_unused]] auto synced = fixture_.Sync();
        break;
      }
      case 3:
      case 4: {
        [[maybe_unused]] auto dropped = fixture_.DropOldest(sent_ + 1);
        break;
      }
      case 5:
      case 6:
      case 7:
      case 8:
        Send();
        break;
      case 9:
      case 10:
      case 11:
        Acknowledge();
        break;
      default: {
        std::size_t bytes = random_() % 5 == 0 ? 1500 : random_() % 200 + 20;
        [[maybe_unused]] auto appended = fixture_.Append(bytes, random_() % 4 == 0);
      }
    }
  }

  void Send() {
    auto batch = fixture_.spool->Read(sent_ + 1);
    if (!batch) return;
    CHECK(batch->first_sequence == sent_ + 1);
    sent_ = batch->sequence;
    unacknowledged_.push_back(sent_);
  }

  void Acknowledge() {
    if (unacknowledged_.empty()) return;
    std::size_t index = random_() % unacknowledged_.size();
    [[maybe_unused]] auto done = fixture_.Acknowledge(unacknowledged_[index]);
    unacknowledged_.erase(unacknowledged_.begin(),
                          unacknowledged_.begin() + static_cast<std::ptrdiff_t>(index) + 1);
  }

  SpoolFixture& fixture_;
  std::mt19937_64 random_;
  std::uint64_t sent_ = 0;
  std::vector<std::uint64_t> unacknowledged_;
};

/// Whoever adopts it sends all of it; then nothing is left.
void FinishAndRemove(SpoolFixture& fixture) {
  while (!fixture.spool->empty()) {
    auto batch = fixture.spool->Read(fixture.spool->first_sequence());
    REQUIRE(batch);
    auto done = fixture.spool->Acknowledge(batch->sequence);
    REQUIRE(done);
  }
  CHECK(fixture.spool->accounts().batches == 0);
  REQUIRE(fixture.folder.Remove(std::move(fixture.spool)));
  CHECK(fixture.memory.Files("/spool").empty());
}

TEST_CASE("spool agrees with a model through random stories", "[spool][model]") {
  bool alive = false;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    SpoolFixture fixture(kSmall);
    fixture.Create();
    Story story(fixture, seed);
    for (int part = 0; part < 5; ++part) {
      story.Run(40, alive);
      fixture.CheckAll();
    }
    seed % 2 == 0 ? fixture.Kill() : fixture.PowerFailure();
    if (!fixture.Adopt()) continue;
    fixture.CheckAll(seed % 2 == 0 ? After::kKill : After::kPowerFailure);
    FinishAndRemove(fixture);
  }
}

TEST_CASE("spool survives the failure of every single call", "[spool][model]") {
  Lasting lasting = GENERATE(Lasting::kOnce, Lasting::kForever);
  int number = GENERATE(ENOSPC, EIO);
  bool alive = false;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    std::uint64_t calls = 1;
    for (std::uint64_t n = 0; n < calls; ++n) {
      CAPTURE(seed, n);
      SpoolFixture fixture(kSmall);
      fixture.Create();
      fixture.faulty.FailCallWithErrno(n, lasting, number);
      Story story(fixture, seed);
      story.Run(60, alive);
      calls = std::max(calls, fixture.faulty.calls());
      fixture.CheckAll();
      fixture.faulty.Heal();
      // Well again, it works as if nothing had been.
      REQUIRE(fixture.Append());
      story.Run(20, alive);
      fixture.CheckAll();
      n % 2 == 0 ? fixture.Kill() : fixture.PowerFailure(n);
      if (!fixture.Adopt()) continue;
      fixture.CheckAll(n % 2 == 0 ? After::kKill : After::kPowerFailure);
      FinishAndRemove(fixture);
    }
    CHECK(calls > 50);
  }
}

TEST_CASE("spool survives a death at every single call", "[spool][model]") {
  enum class Death { kKill, kPowerFailure, kTornPowerFailure };
  Death death = GENERATE(Death::kKill, Death::kPowerFailure, Death::kTornPowerFailure);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    std::uint64_t calls = 1;
    for (std::uint64_t n = 0; n < calls; ++n) {
      CAPTURE(seed, n);
      SpoolFixture fixture(kSmall);
      fixture.Create();
      bool dead = false;
      fixture.faulty.Heal();  // counting starts here
      fixture.faulty.OnCall([&](std::uint64_t call, Call, const std::string&) {
        if (dead || call != n) return;
        dead = true;
        switch (death) {
          case Death::kKill:
            fixture.memory.Kill();
            break;
          case Death::kPowerFailure:
            fixture.memory.Crash();
            break;
          case Death::kTornPowerFailure:
            fixture.memory.CrashTorn(seed * 1000 + n);
            break;
        }
        fixture.faulty.FailCall(0, Lasting::kForever);  // the dead change nothing any more
      });
      Story story(fixture, seed);
      story.Run(60, dead);
      if (!dead) calls = std::max(calls, fixture.faulty.calls());
      if (n == 0) calls = std::max<std::uint64_t>(calls, 2);
      fixture.faulty.OnCall(nullptr);
      fixture.spool.reset();
      fixture.faulty.Heal();
      if (!dead) break;
      calls = n + 2;
      if (!fixture.Adopt()) continue;
      fixture.CheckAll(death == Death::kKill ? After::kKill : After::kPowerFailure);
      FinishAndRemove(fixture);
    }
    CHECK(calls > 50);
  }
}

TEST_CASE("a spool is adopted or left whole by an adoption whose calls fail", "[spool][model]") {
  bool with_reads = GENERATE(false, true);
  std::set<Call> kinds;
  if (with_reads) kinds = {Call::kRead};
  bool alive = false;
  for (std::uint64_t n = 0;; ++n) {
    CAPTURE(n);
    SpoolFixture fixture(kSmall);
    fixture.Create();
    Story story(fixture, 3);
    story.Run(80, alive);
    fixture.Kill();
    auto orphans = fixture.folder.Orphans("");
    REQUIRE(orphans);
    REQUIRE(orphans->size() == 1);
    fixture.faulty.FailCallWithErrno(n, Lasting::kOnce, EIO, kinds);
    auto adopted = fixture.folder.Adopt(orphans->front());
    bool failed = fixture.faulty.failures() > 0;
    fixture.faulty.Heal();
    if (!adopted) {
      CHECK(failed);
      CHECK(adopted.error().error_number() == EIO);
      REQUIRE(fixture.Adopt());
    } else {
      fixture.spool = std::move(*adopted);
    }
    fixture.CheckAll(After::kKill);
    FinishAndRemove(fixture);
    if (!failed) {
      if (with_reads) CHECK(n > 5);
      break;
    }
  }
}

}  // namespace
}  // namespace dunlin::shipper::testing
