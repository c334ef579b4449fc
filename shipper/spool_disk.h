#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "shipper/drop_reason.h"
#include "shipper/queue.h"
#include "shipper/spool/spool.h"
#include "shipper/spool/spool_folder.h"
#include "shipper/spool_sync.h"

namespace dunlin::shipper {

/// One errand for the disk: everything the queue wants of it by now.
struct SpoolErrand {
  std::uint64_t acknowledged = 0;  // everything up to here
  /// What begins here or behind was never sent and is not while the errand runs: it may be dropped
  /// for its age, and, only if this says so, to make room; else the disk refuses instead.
  std::optional<std::uint64_t> first_droppable;
  bool may_drop_for_room = false;
  std::vector<UnwrittenBatch> append;
  bool sync = false;
  std::optional<Queue::Stretch> read;  // from its first on, never beyond its last
  std::size_t read_bytes = 0;
  bool unreadable_is_lost = false;
  bool remove = false;  // the whole spool: everything in it is acknowledged
};

/// What came of it.
struct SpoolReport {
  std::uint64_t written_through = 0;  // the last batch appended; 0: none
  std::vector<std::pair<SpoolDrop, DropReason>> dropped;
  std::vector<SpoolBatch> read;
  bool full = false;  // batches were left over for lack of room within the limit
  bool removed = false;
  bool acknowledgement_refused = false;
  std::optional<Error> write_error;  // of opening, acknowledging, dropping, appending, syncing
  std::optional<Error> read_error;
  std::optional<SpoolAccounts> accounts;
};

/// The disk worker's side: one spool, opened when it is first needed and again after errors. No
/// error is final. Blocking calls; one thread at a time.
class SpoolDisk {
 public:
  using Open = std::function<Result<std::unique_ptr<Spool>>()>;
  using Remove = std::function<Result<void>(std::unique_ptr<Spool>)>;

  /// What both capture outlives this.
  SpoolDisk(const Clock& clock, Open open, Remove remove, SpoolSync sync)
      : clock_(clock), open_(std::move(open)), remove_(std::move(remove)), sync_(sync) {}
  /// One that is open already: an adopted one.
  SpoolDisk(const Clock& clock, std::unique_ptr<Spool> spool, Remove remove);

  SpoolReport Run(const SpoolErrand& errand);

 private:
  void Append(const SpoolErrand& errand, SpoolReport& report);
  bool MakeRoom(const SpoolErrand& errand, std::size_t bytes, SpoolReport& report);
  void DropAged(const SpoolErrand& errand, SpoolReport& report);
  void Read(const SpoolErrand& errand, SpoolReport& report);

  const Clock& clock_;
  Open open_;
  Remove remove_;
  SpoolSync sync_;
  std::unique_ptr<Spool> spool_;
  bool unsynced_ = false;
};

}  // namespace dunlin::shipper
