#include "collector/store/wal_outage.h"

#include <algorithm>

#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

constexpr std::chrono::seconds kFirstDelay{1};
constexpr std::chrono::seconds kMaxDelay{30};

}  // namespace

void WalOutage::OnFailure(const Error& error, SteadyTime now) {
  std::lock_guard lock(mutex_);
  if (!error_) {
    log::Fail("wal_outage",
              {{"error", error.message()},
               {"effect", "nothing is acknowledged; a new file is tried now and then"}});
  }
  delay_ = error_ ? std::min(delay_ * 2, kMaxDelay) : kFirstDelay;
  retry_at_ = now + delay_;
  error_ = error;
}

void WalOutage::OnSuccess() {
  std::lock_guard lock(mutex_);
  if (!error_) return;
  error_.reset();
  log::Info("wal_outage_over", {});
}

std::optional<Error> WalOutage::Refusal(SteadyTime now) const {
  std::lock_guard lock(mutex_);
  if (!error_ || now >= retry_at_) return std::nullopt;
  return Error(ErrorCode::kIo, Join("the write-ahead log cannot be written: ", error_->message()));
}

bool WalOutage::ongoing() const {
  std::lock_guard lock(mutex_);
  return error_.has_value();
}

}  // namespace dunlin::store
