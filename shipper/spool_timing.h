#pragma once

#include <chrono>

namespace dunlin::shipper {

/// When a spool's disk is asked for what.
struct SpoolTiming {
  /// An acknowledgement that is not on disk costs sending again after a crash, nothing else.
  std::chrono::milliseconds ack_interval{500};
  std::chrono::milliseconds sync_interval{1000};  // with SpoolSync::kInterval
  /// After an error the pause doubles from the first up to the last.
  std::chrono::milliseconds first_retry{1000};
  std::chrono::milliseconds last_retry{30'000};
  /// How often it is looked for what is too old, and for spools that others left.
  std::chrono::milliseconds look_interval{60'000};
};

}  // namespace dunlin::shipper
