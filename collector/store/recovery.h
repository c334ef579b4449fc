#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "collector/store/manifest.h"
#include "collector/store/segment_reader.h"
#include "collector/store/wal_reader.h"
#include "protocol/base/clock.h"
#include "protocol/base/file_system.h"

namespace dunlin::store {

/// Names inside the data folder.
inline constexpr std::string_view kWalFolder = "wal";
inline constexpr std::string_view kSegmentsFolder = "segments";
inline constexpr std::string_view kQuarantineFolder = "quarantine";

/// What a data folder holds, checked against its manifest.
struct RecoveredFiles {
  std::unique_ptr<Manifest> manifest;
  std::vector<std::shared_ptr<const SegmentReader>> segments;
  std::vector<WalFileEntry> wal;
  /// Segments that could not be read although nothing says they are damaged: left alone, as the
  /// next start may succeed.
  std::vector<Loss> unreadable;
};

/// Opens manifest and segments. Damaged segments go to quarantine and are noted as losses; files
/// that no manifest record lists are taken in when a record was lost, and removed when their
/// publication never finished. Errors: what makes the folder unusable; kUnsupported for files of a
/// newer program; kExhausted when there are not enough descriptors or memory.
Result<RecoveredFiles> RecoverFiles(FileSystem& fs, const Clock& clock, const std::string& folder,
                                    StreamTable& streams);

/// Copies a damaged file to quarantine, for people; failures are logged only.
void CopyToQuarantine(FileSystem& fs, const std::string& folder, const std::string& path);

}  // namespace dunlin::store
