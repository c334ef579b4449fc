#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/file_system.h"
#include "protocol/base/random.h"
#include "protocol/base/result.h"
#include "shipper/spool/spool.h"

namespace dunlin::shipper {

/// A boot whose process is gone and whose spool is not empty.
struct SpoolOrphan {
  std::string instance;
  std::string boot;  // 32 hexadecimal digits
};

/// Whether a folder of this name may be a boot's spool.
bool IsSpoolBootName(std::string_view name);

/// The folder that agents share: `folder`/<instance>/<boot>/ is one boot's spool, and
/// <boot>.lock beside it is locked while a process uses it. Any number of processes may work on one
/// folder; a boot belongs to whoever holds its lock.
///
/// Blocking calls, as Spool's; one thread. Outlives no Spool it made: those stand alone.
class SpoolFolder {
 public:
  /// `fs` outlives this and every Spool. Touches nothing yet.
  SpoolFolder(FileSystem& fs, std::string folder, SpoolOptions options);

  /// Locks and makes the spool of a new boot; `identity` (at most 64 KiB) comes back to whoever
  /// adopts it. Errors: kInvalidArgument for an instance that is no name of a folder,
  /// kAlreadyExists when the boot has one already, others as the disk says; nothing is left then
  /// that the next attempt would stumble over.
  Result<std::unique_ptr<Spool>> Create(std::string_view instance, const RandomId& boot,
                                        std::string_view identity);

  /// Boots in all instances that nobody holds, those of `own_instance` first, then by name. Boots
  /// that hold nothing are removed on the way. What cannot be read is passed over; errors: the
  /// folder itself cannot be listed (a folder that is not there has no orphans).
  Result<std::vector<SpoolOrphan>> Orphans(std::string_view own_instance);

  /// Locks an orphan's spool and opens it for Read, Acknowledge and DropOldest. Reads some hundred
  /// bytes per segment, and the headers of the last one. Errors: kAlreadyExists when another
  /// process was faster or the boot's own is alive, kNotFound when it is gone, kCorruption when no
  /// file tells the identity, kUnsupported when a newer program wrote it (both are left for
  /// people), others as the disk says.
  Result<std::unique_ptr<Spool>> Adopt(const SpoolOrphan& orphan,
                                       Spool::Unreadable unreadable = Spool::Unreadable::kFail);

  /// Removes all files of a spool and its folder, acknowledged or not. Foreign files stay, and so
  /// does then the folder. After an error it is an orphan, or half of one that Orphans() removes.
  Result<void> Remove(std::unique_ptr<Spool> spool);

 private:
  FileSystem& fs_;
  std::string folder_;
  SpoolOptions options_;
};

}  // namespace dunlin::shipper
