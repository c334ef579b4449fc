#include "collector/store/recovery.h"

#include <limits>
#include <optional>

#include "collector/store/damage.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

std::string FileNameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

void MoveToQuarantine(FileSystem& fs, const std::string& folder, const std::string& path) {
  auto moved = fs.Rename(path, Join(folder, "/", kQuarantineFolder, "/", FileNameOf(path)));
  if (!moved && moved.error().code() != ErrorCode::kNotFound) {
    log::Fail("cannot move a damaged file to quarantine", {{"error", moved.error().message()}});
  }
}

/// The first record that the WAL still has; the highest number when it has none.
Lsn FirstWalLsn(const std::vector<WalFileEntry>& wal) {
  for (const WalFileEntry& file : wal) {
    if (!file.never_used) return file.first_lsn;
  }
  return std::numeric_limits<Lsn>::max();
}

class SegmentFiles {
 public:
  SegmentFiles(FileSystem& fs, const std::string& folder, StreamTable& streams,
               RecoveredFiles& files)
      : fs_(fs), folder_(folder), streams_(streams), files_(files) {}

  /// Opens what the manifest lists.
  Result<void> OpenListed(ManifestEdit& edit) {
    for (const auto& [id, facts] : files_.manifest->state().segments) {
      std::string path = Join(folder_, "/", facts.RelativePath());
      auto segment = SegmentReader::Open(fs_, path, streams_);
      if (segment && (*segment)->facts().id == id) {
        files_.segments.push_back(std::move(*segment));
        continue;
      }
      Error error = segment ? Error(ErrorCode::kCorruption, path + " holds another segment")
                            : segment.error();
      switch (FailureOf(error)) {
        case ReadFailure::kNewer:
        case ReadFailure::kResources:
          return error;
        case ReadFailure::kDamaged:
          MoveToQuarantine(fs_, folder_, path);
          edit.removed.push_back(id);
          edit.lost.push_back(LossOf(facts, error));
          break;
        case ReadFailure::kNow:
          files_.unreadable.push_back(LossOf(facts, error));
          break;
      }
      log::Fail("segment is missing", {{"error", error.message()}, {"lines", facts.rows}});
    }
    return {};
  }

  /// Takes in, removes or quarantines what it does not list. With a damaged manifest the unlisted
  /// files may be all there is, so that none may be passed over.
  Result<void> SortOutUnlisted(bool manifest_damaged, ManifestEdit& edit) {
    std::string root = Join(folder_, "/", kSegmentsFolder);
    auto days = fs_.List(root);
    if (!days) return std::move(days).error();
    for (const std::string& day : *days) {
      auto names = fs_.List(Join(root, "/", day));
      if (!names) {
        if (manifest_damaged) return std::move(names).error();
        continue;
      }
      for (const std::string& name : *names) {
        auto sorted = SortOut(Join(root, "/", day, "/", name), manifest_damaged, edit);
        if (!sorted) return sorted;
      }
      if (fs_.List(Join(root, "/", day)).value_or({"?"}).empty()) {
        if (!fs_.RemoveDirectory(Join(root, "/", day))) continue;  // harmless
      }
    }
    return {};
  }

 private:
  static Loss LossOf(const SegmentFacts& facts, const Error& error) {
    return {facts.span, Join(facts.rows, " entries are missing: ", error.message())};
  }

  Result<void> SortOut(const std::string& path, bool manifest_damaged, ManifestEdit& edit) {
    if (!path.ends_with(kSegmentSuffix)) return Remove(path);
    for (const auto& [id, facts] : files_.manifest->state().segments) {
      if (path == Join(folder_, "/", facts.RelativePath())) return {};
    }
    auto segment = SegmentReader::Open(fs_, path, streams_);
    if (!segment) {
      const Error& error = segment.error();
      bool damaged = FailureOf(error) == ReadFailure::kDamaged;
      if (!damaged && manifest_damaged) return error;
      log::Warn("unlisted file in the segments folder", {{"error", error.message()}});
      if (damaged) MoveToQuarantine(fs_, folder_, path);
      return {};
    }
    const SegmentFacts& facts = (*segment)->facts();
    // While the WAL still has all its rows, its publication never finished.
    if (FirstWalLsn(files_.wal) <= facts.first_lsn) return Remove(path);
    bool newer = facts.last_lsn > files_.manifest->state().covered_lsn;
    // Covered and not listed: expired, unless the record that listed it is what was lost.
    if (!newer && !manifest_damaged) return Remove(path);
    log::Fail("taking in a segment that the manifest lost", {{"path", path}});
    edit.added.push_back(facts);
    edit.covered_lsn = std::max(edit.covered_lsn, facts.last_lsn);
    edit.next_arrival = std::max(edit.next_arrival, facts.end_arrival);
    files_.segments.push_back(std::move(*segment));
    return {};
  }

  Result<void> Remove(const std::string& path) {
    if (auto removed = fs_.Remove(path); !removed) {
      log::Warn("cannot remove a leftover file", {{"error", removed.error().message()}});
    }
    return {};
  }

  FileSystem& fs_;
  const std::string& folder_;
  StreamTable& streams_;
  RecoveredFiles& files_;
};

}  // namespace

void CopyToQuarantine(FileSystem& fs, const std::string& folder, const std::string& path) {
  auto contents = ReadFile(fs, path);
  Result<void> done;
  if (!contents) {
    done = std::move(contents).error();
  } else {
    done = WriteFileAtomically(fs, Join(folder, "/", kQuarantineFolder, "/", FileNameOf(path)),
                               *contents);
  }
  if (!done) {
    log::Fail("cannot copy a damaged file to quarantine", {{"error", done.error().message()}});
  }
}

Result<RecoveredFiles> RecoverFiles(FileSystem& fs, const Clock& clock, const std::string& folder,
                                    StreamTable& streams) {
  RecoveredFiles files;
  for (std::string_view name : {kWalFolder, kSegmentsFolder, kQuarantineFolder}) {
    if (auto made = fs.CreateDirectories(Join(folder, "/", name)); !made) return made.error();
  }
  for (const std::string& path : {folder, ParentPath(folder)}) {
    if (auto synced = fs.SyncDirectory(path); !synced) return synced.error();
  }
  std::int64_t now_ns = NanosecondsOf(clock.Now());
  auto opened = Manifest::Open(fs, folder, now_ns);
  if (!opened) return std::move(opened).error();
  files.manifest = std::move(opened->manifest);

  auto wal = ListWal(fs, Join(folder, "/", kWalFolder));
  if (!wal) return std::move(wal).error();
  files.wal = std::move(*wal);

  ManifestEdit edit;
  SegmentFiles segments(fs, folder, streams, files);
  if (auto listed = segments.OpenListed(edit); !listed) return listed.error();
  auto sorted = segments.SortOutUnlisted(opened->damaged, edit);
  if (!sorted) return std::move(sorted).error();
  if (!edit.added.empty() || !edit.removed.empty()) {
    if (auto done = files.manifest->Append(edit, now_ns); !done) {
      // Reading goes on; the next start finds the same.
      log::Fail("cannot note damage in the manifest", {{"error", done.error().message()}});
    }
  }
  return files;
}

}  // namespace dunlin::store
