#include "collector/store/disk_guard.h"

#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::store {
namespace {

constexpr std::chrono::seconds kLookInterval{1};

}  // namespace

DiskGuard::DiskGuard(FileSystem& fs, const Clock& clock, Options options)
    : fs_(fs), clock_(clock), options_(std::move(options)) {
  if (auto ballast = fs_.Open(BallastPath(), FileSystem::Mode::kRead)) {
    has_ballast_ = (*ballast)->Size().value_or(0) == options_.ballast_bytes;
  }
  Check();
}

void DiskGuard::Check() {
  std::lock_guard using_disk(disk_mutex_);
  SteadyTime now = clock_.Steady();
  if (looked_ && now - *looked_ < kLookInterval) return;
  looked_ = now;
  Look();
}

void DiskGuard::Look() {
  auto free = fs_.FreeSpace(options_.folder);
  if (!free) {
    std::lock_guard lock(mutex_);
    cannot_look_ = std::move(free).error();
    return;
  }
  const bool was_full = full();
  // Some way above the limit, or every deleted file would open the gates for a moment.
  std::uint64_t enough = options_.min_free_bytes + (was_full ? options_.min_free_bytes / 16 : 0);
  const bool is_full = *free < enough || !TakeBallast(*free - enough);
  {
    std::lock_guard lock(mutex_);
    cannot_look_.reset();
    free_bytes_ = *free;
    full_ = is_full;
  }
  if (is_full && !was_full) {
    log::Fail("disk_full", {{"folder", options_.folder}, {"free", FormatSize(*free)}});
  } else if (!is_full && was_full) {
    log::Info("disk_has_room", {{"folder", options_.folder}, {"free", FormatSize(*free)}});
  }
}

bool DiskGuard::TakeBallast(std::uint64_t free) {
  if (has_ballast_ || options_.ballast_bytes == 0) return true;
  if (free < options_.ballast_bytes) return false;
  auto file = fs_.Open(BallastPath(), FileSystem::Mode::kCreate);
  if (!file) return false;
  has_ballast_ = (*file)->Preallocate(options_.ballast_bytes).has_value();
  if (!has_ballast_ && !fs_.Remove(BallastPath())) {
    log::Warn("cannot remove the ballast", {{"path", BallastPath()}});
  }
  return has_ballast_;
}

void DiskGuard::OnDiskFull() {
  std::lock_guard using_disk(disk_mutex_);
  if (!full()) log::Fail("disk_full", {{"folder", options_.folder}, {"error", "a write failed"}});
  {
    std::lock_guard lock(mutex_);
    full_ = true;
  }
  looked_ = clock_.Steady();
  if (!has_ballast_) return;
  if (auto removed = fs_.Remove(BallastPath()); !removed) {
    log::Warn("cannot give up the ballast", {{"error", removed.error().message()}});
    return;
  }
  has_ballast_ = false;
}

std::optional<Error> DiskGuard::Refusal() const {
  std::lock_guard lock(mutex_);
  if (cannot_look_) return cannot_look_;
  if (!full_) return std::nullopt;
  return Error(ErrorCode::kExhausted,
               Join("the disk of ", options_.folder, " is full: ", FormatSize(free_bytes_),
                    " free, ", FormatSize(options_.min_free_bytes), " are kept"));
}

bool DiskGuard::full() const {
  std::lock_guard lock(mutex_);
  return full_;
}

std::uint64_t DiskGuard::free_bytes() const {
  std::lock_guard lock(mutex_);
  return free_bytes_;
}

}  // namespace dunlin::store
