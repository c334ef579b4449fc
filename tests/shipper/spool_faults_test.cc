// The shipper beside a disk that refuses, fails, hangs.
#include <cerrno>
#include <cstring>
#include <set>
#include <string>

#include "protocol/base/text.h"
#include "tests/shipper/spool_rig.h"
#include "tests/support/catch.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/memory_file_system.h"

namespace dunlin::shipper {
namespace {

using namespace std::chrono_literals;
using testing::FaultyFileSystem;
using Call = FaultyFileSystem::Call;
using Lasting = FaultyFileSystem::Lasting;

/// A folder on a disk that does what a test says, and is tried again at once.
struct FaultyRig : SpoolRig {
  FaultyRig() {
    fs = &faulty;
    sync = SpoolSync::kBatch;
    timing.first_retry = timing.last_retry = 5ms;
    timing.ack_interval = 5ms;
    options.batcher.batch_bytes = 16_KiB;
    Restart();
  }
  ~FaultyRig() { shipper.reset(); }

  std::uint64_t ErrorsOf(int error_number) const {
    const auto& errors = shipper->spool()->errors;
    auto found = errors.find(error_number);
    return found == errors.end() ? 0 : found->second;
  }
  /// Everything there is came to the disk.
  void WaitUntilSpooled() {
    RunUntil(loop, [&] {
      return !shipper->queue().has_unwritten() && shipper->spool()->last_error.empty();
    });
  }
  std::uint64_t LinesInGaps() const {
    std::uint64_t lines = 0;
    for (const wire::Gap& gap : collector.gaps) lines += gap.lines;
    return lines;
  }
  /// With nothing left to send: every line is where it is said to be, and nowhere else.
  void CheckDelivered() const {
    const LineAccount account = shipper->Account();
    CHECK(account == LineAccount{account.captured, collector.durable_lines(), 0, 0,
                                 account.captured - collector.durable_lines()});
    CHECK(account.dropped == LinesInGaps());
    CHECK_FALSE(collector.failed());
  }

  testing::MemoryFileSystem memory;
  FaultyFileSystem faulty{memory};
};

TEST_CASE("a disk that refuses costs no line, is counted by errno and used again when it is well",
          "[shipper][spool][faults]") {
  const int error_number = GENERATE(ENOSPC, EDQUOT, EROFS, EIO, EACCES);
  const Call kind = GENERATE(Call::kCreateDirectories, Call::kCreate, Call::kWrite, Call::kSync,
                             Call::kSyncDirectory);
  CAPTURE(std::strerror(error_number), static_cast<int>(kind));
  FaultyRig rig;
  rig.collector.CloseListener();
  rig.faulty.FailCallWithErrno(0, Lasting::kForever, error_number, {kind});
  rig.shipper->Start({});
  rig.Write(1000);
  RunUntil(rig.loop, [&] { return rig.ErrorsOf(error_number) >= 2; });
  CHECK(rig.shipper->spool()->errors.size() == 1);
  CHECK_FALSE(rig.shipper->spool()->last_error.empty());
  CHECK(rig.shipper->Account().dropped == 0);
  rig.faulty.Heal();
  rig.Write(1000);
  rig.WaitUntilSpooled();
  CHECK(rig.shipper->Account().dropped == 0);
  CHECK(rig.shipper->Account().spooled > 1900);  // all but the batch that is not sealed
  rig.collector.OpenListener();
  rig.Flush();
  CHECK(rig.collector.durable_lines() == 2000);
  rig.CheckDelivered();
  rig.Save();
  CHECK(rig.Spools() == 0);
}

TEST_CASE("memory's rule holds while the disk refuses, and what it drops is told to the line",
          "[shipper][spool][faults]") {
  FaultyRig rig;
  rig.options.queue.limit_bytes = 256_KiB;
  rig.Restart();
  rig.collector.CloseListener();
  rig.shipper->Start({});
  for (int i = 0; i < 3; ++i) {
    rig.Write(1000);
    rig.WaitUntilSpooled();
  }
  rig.faulty.FailCallWithErrno(0, Lasting::kForever, ENOSPC, {Call::kWrite});
  for (int i = 0; i < 10; ++i) {
    rig.Write(1000);
    RunUntil(rig.loop,
             [&, before = rig.ErrorsOf(ENOSPC)] { return rig.ErrorsOf(ENOSPC) > before; });
    CHECK(rig.shipper->queue().bytes() <= 256_KiB);
    rig.CheckIdentity();
  }
  const LineAccount full = rig.shipper->Account();
  CHECK(full.dropped > 5'000);
  CHECK(full.spooled > 2'800);  // what is on the disk stays there
  CHECK(rig.shipper->queue().dropped()[static_cast<std::size_t>(DropReason::kSpoolIo)].lines ==
        full.dropped);
  rig.faulty.Heal();
  rig.WaitUntilSpooled();
  rig.Write(1000);
  rig.collector.OpenListener();
  rig.Flush();
  rig.CheckDelivered();
  CHECK(rig.shipper->Account().dropped == full.dropped);
}

TEST_CASE("what is on a full disk is sent at full speed", "[shipper][spool][faults]") {
  FaultyRig rig;
  rig.options.queue.limit_bytes = 1_MiB;
  rig.timing.first_retry = rig.timing.last_retry = 1h;  // no attempt to write comes in between
  rig.Restart();
  rig.collector.CloseListener();
  rig.shipper->Start({});
  for (int i = 0; i < 30; ++i) {
    rig.Write(1000);
    RunUntil(rig.loop, [&] { return !rig.shipper->queue().has_unwritten(); });
  }
  rig.faulty.FailCallWithErrno(0, Lasting::kForever, ENOSPC, {Call::kWrite});
  rig.Write(1000);
  RunUntil(rig.loop, [&] { return rig.ErrorsOf(ENOSPC) == 1; });
  rig.collector.OpenListener();
  rig.Flush();
  CHECK(rig.collector.durable_lines() == 31'000);
  rig.CheckDelivered();
}

TEST_CASE("whichever call of the disk fails once, every line arrives once",
          "[shipper][spool][faults]") {
  const int error_number = GENERATE(EIO, ENOSPC);
  for (std::uint64_t n = 0;; ++n) {
    CAPTURE(error_number, n);
    FaultyRig rig;
    rig.options.queue.limit_bytes = 256_KiB;
    rig.spool_options.segment_bytes = 64_KiB;
    rig.Restart();
    rig.collector.CloseListener();
    rig.faulty.FailCallWithErrno(n, Lasting::kOnce, error_number,
                                 {Call::kCreate, Call::kWrite, Call::kSync, Call::kRemove,
                                  Call::kCreateDirectories, Call::kSyncDirectory, Call::kRead});
    rig.shipper->Start({});
    // More than memory holds, so that some of it is read back.
    for (int i = 0; i < 4; ++i) {
      rig.Write(1000);
      RunUntil(rig.loop, [&] { return !rig.shipper->queue().has_unwritten(); });
      rig.CheckIdentity();
    }
    rig.collector.OpenListener();
    rig.Flush();
    CHECK(rig.collector.durable_lines() == 4000);
    rig.CheckDelivered();
    const bool failed = rig.faulty.failures() > 0;
    rig.Save();
    CHECK(rig.Spools() <= (rig.faulty.failures() > 0 ? 1U : 0U));
    if (!failed) {
      CHECK(n > 20);  // it did something
      break;
    }
    CHECK(rig.ErrorsOf(error_number) <= 1);
  }
}

TEST_CASE("bytes that the disk does not give are lost to the line, after many attempts",
          "[shipper][spool][faults]") {
  FaultyRig rig;
  rig.options.queue.limit_bytes = 256_KiB;
  rig.Restart();
  rig.collector.CloseListener();
  rig.shipper->Start({});
  for (int i = 0; i < 5; ++i) {
    rig.Write(1000);
    RunUntil(rig.loop, [&] { return !rig.shipper->queue().has_unwritten(); });
  }
  const std::uint64_t lost_at_most = rig.shipper->Account().spooled;
  rig.faulty.FailReads(".spool", ErrorCode::kIo);
  rig.collector.OpenListener();
  rig.Flush();
  rig.CheckDelivered();
  const std::uint64_t lost =
      rig.shipper->queue().dropped()[static_cast<std::size_t>(DropReason::kSpoolIo)].lines;
  CHECK(lost > 0);
  CHECK(lost <= lost_at_most);
  CHECK(lost == rig.shipper->Account().dropped);
}

TEST_CASE("a disk that hangs holds up neither capture nor sending nor the end",
          "[shipper][spool][faults]") {
  FaultyRig rig;
  rig.options.queue.limit_bytes = 256_KiB;
  rig.Restart();
  rig.faulty.HoldSyncs();
  rig.shipper->Start({});
  rig.Write(1000);
  rig.faulty.WaitForHeldSync();
  CHECK(rig.shipper->disk_busy());
  SECTION("lines are sent all the same") {
    rig.Write(1000);
    rig.Flush();
    CHECK(rig.collector.durable_lines() == 2000);
    CHECK(rig.shipper->disk_busy());
  }
  SECTION("without a collector memory's rule holds") {
    rig.collector.CloseListener();
    rig.collector.Cut();
    for (int i = 0; i < 10; ++i) rig.Write(1000);
    CHECK(rig.shipper->queue().bytes() <= 256_KiB);
    CHECK(rig.shipper->Account().dropped > 5'000);
  }
  SECTION("the end waits for it only as long as it is told to") {
    bool saved = false;
    const SteadyTime begin = SystemClock().Steady();
    rig.shipper->Save(100ms, [&] { saved = true; });
    RunUntil(rig.loop, [&] { return saved; });
    CHECK(SystemClock().Steady() - begin < 10s);
    CHECK(rig.shipper->disk_busy());
    rig.shipper->Abandon();
    rig.CheckIdentity();
    CHECK(rig.shipper->Account().queued == 0);
  }
  rig.faulty.ReleaseSyncs();
}

}  // namespace
}  // namespace dunlin::shipper
