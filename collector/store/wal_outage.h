#pragma once

#include <mutex>
#include <optional>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace dunlin::store {

/// The time in which the log cannot be written: nothing is acknowledged, and a new file is tried
/// now and then, first after a second, later every half minute. Any thread.
class WalOutage {
 public:
  /// Neither the current file nor a new one took a group.
  void OnFailure(const Error& error, SteadyTime now);
  void OnSuccess();

  /// Why no group may be tried now.
  std::optional<Error> Refusal(SteadyTime now) const;
  bool ongoing() const;

 private:
  mutable std::mutex mutex_;
  std::optional<Error> error_;  // while it lasts
  std::chrono::seconds delay_{0};
  SteadyTime retry_at_{};
};

}  // namespace dunlin::store
