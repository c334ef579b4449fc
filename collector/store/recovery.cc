#include "collector/store/recovery.h"

#include <algorithm>
#include <limits>
#include <set>
#include <span>
#include <tuple>

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

/// Sorts the files of segments into those that count and those that do not, so that each entry is
/// in exactly one that does (docs/segment-format.md, "Recovery").
class SegmentFiles {
 public:
  SegmentFiles(FileSystem& fs, const std::string& folder, StreamTable& streams,
               RecoveredFiles& files)
      : fs_(fs), folder_(folder), streams_(streams), files_(files) {}

  /// Opens what the manifest lists.
  Result<void> OpenListed() {
    for (const auto& [id, facts] : state().segments) {
      std::string path = Join(folder_, "/", facts.RelativePath());
      listed_paths_.insert(path);
      auto segment = SegmentReader::Open(fs_, path, streams_);
      if (segment && (*segment)->facts().id == id) {
        listed_.push_back(std::move(*segment));
        continue;
      }
      Error error = segment ? Error(ErrorCode::kCorruption, path + " holds another segment")
                            : segment.error();
      ReadFailure failure = FailureOf(error);
      if (failure == ReadFailure::kNewer || failure == ReadFailure::kResources) return error;
      failed_.push_back({facts, path, std::move(error)});
    }
    return {};
  }

  /// Opens what it does not list, except what is certainly left over. With a damaged manifest the
  /// unlisted files may be all there is, so that none may be passed over.
  Result<void> OpenUnlisted(bool manifest_damaged) {
    std::string root = Join(folder_, "/", kSegmentsFolder);
    auto days = fs_.List(root);
    if (!days) return std::move(days).error();
    for (const std::string& day : *days) {
      std::string day_folder = Join(root, "/", day);
      auto names = fs_.List(day_folder);
      if (!names) {
        if (manifest_damaged) return std::move(names).error();
        continue;
      }
      folders_.push_back(day_folder);
      for (const std::string& name : *names) {
        auto opened = OpenUnlisted(Join(day_folder, "/", name), manifest_damaged);
        if (!opened) return opened;
      }
    }
    return {};
  }

  /// What the manifest has to be told; the segments that count are in the RecoveredFiles then.
  ManifestEdit Decide() {
    ManifestEdit edit;
    DecideListed(edit);
    DropWhatTheLogHas();
    DecideUnlisted(edit);
    DecideFailed(edit);
    for (Kept& kept : kept_) {
      if (!kept.listed) {
        const SegmentFacts& facts = kept.segment->facts();
        log::Fail("taking in a segment that the manifest lost", {{"path", kept.segment->path()}});
        edit.added.push_back(facts);
        edit.covered_lsn = std::max(edit.covered_lsn, facts.last_lsn);
        edit.next_arrival = std::max(edit.next_arrival, facts.end_arrival);
      }
      files_.segments.push_back(std::move(kept.segment));
    }
    return edit;
  }

  /// Once the manifest says so: until then nothing may go that an earlier state would need.
  void RemoveLeftovers() {
    for (const std::string& path : leftovers_) {
      if (auto removed = fs_.Remove(path); !removed) {
        log::Warn("cannot remove a leftover file", {{"error", removed.error().message()}});
      }
    }
    for (const std::string& day_folder : folders_) {
      if (!fs_.List(day_folder).value_or({"?"}).empty()) continue;
      if (!fs_.RemoveDirectory(day_folder)) continue;  // harmless
    }
  }

 private:
  using SegmentPtr = std::shared_ptr<const SegmentReader>;
  struct Failed {
    SegmentFacts facts;
    std::string path;
    Error error;
  };
  struct Kept {
    SegmentPtr segment;
    bool listed;
  };

  const ManifestState& state() const { return files_.manifest->state(); }

  static Loss LossOf(const SegmentFacts& facts, std::string_view why) {
    return {facts.span, Join(facts.rows, " entries are missing: ", why)};
  }

  /// Segments from heads whose entries it holds: itself, or what it was merged from.
  static std::span<const RandomId> SourcesOf(const SegmentReader& segment) {
    if (segment.provenance().level > 0) return segment.provenance().sources;
    return {&segment.facts().id, 1};
  }

  bool AllTaken(const SegmentReader& segment) const {
    auto sources = SourcesOf(segment);
    return std::all_of(sources.begin(), sources.end(),
                       [&](const RandomId& id) { return taken_.contains(id); });
  }

  void Keep(SegmentPtr segment, bool listed) {
    for (const RandomId& id : SourcesOf(*segment)) taken_.insert(id);
    kept_.push_back({std::move(segment), listed});
  }

  /// Those first that were merged from most.
  static void SortBySources(std::vector<SegmentPtr>& segments) {
    std::sort(segments.begin(), segments.end(), [](const SegmentPtr& a, const SegmentPtr& b) {
      return std::tuple(SourcesOf(*b).size(), b->facts().created_ns) <
             std::tuple(SourcesOf(*a).size(), a->facts().created_ns);
    });
  }

  Result<void> OpenUnlisted(const std::string& path, bool manifest_damaged) {
    if (listed_paths_.contains(path)) return {};
    if (!path.ends_with(kSegmentSuffix)) {
      leftovers_.push_back(path);
      return {};
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
    // Covered and not listed: expired, merged or never published as merged; unless the record that
    // listed it is what was lost.
    if (!manifest_damaged && (*segment)->facts().last_lsn <= state().covered_lsn) {
      leftovers_.push_back(path);
    } else {
      unlisted_.push_back(std::move(*segment));
    }
    return {};
  }

  /// A record that replaced segments by what they were merged into may be lost.
  void DecideListed(ManifestEdit& edit) {
    SortBySources(listed_);
    for (SegmentPtr& segment : listed_) {
      if (AllTaken(*segment)) {
        edit.removed.push_back(segment->facts().id);
        leftovers_.push_back(segment->path());
      } else {
        Keep(std::move(segment), /*listed=*/true);
      }
    }
  }

  /// While the log still has all rows of a segment and will be replayed from before them, its
  /// publication never finished. Replay begins after everything that is covered, so a segment that
  /// is taken in may decide about the next.
  void DropWhatTheLogHas() {
    std::sort(unlisted_.begin(), unlisted_.end(), [](const SegmentPtr& a, const SegmentPtr& b) {
      return a->facts().first_lsn < b->facts().first_lsn;
    });
    Lsn covered = state().covered_lsn;
    std::erase_if(unlisted_, [&](const SegmentPtr& segment) {
      const SegmentFacts& facts = segment->facts();
      if (facts.first_lsn > covered && facts.first_lsn >= FirstWalLsn(files_.wal)) {
        leftovers_.push_back(segment->path());
        return true;
      }
      covered = std::max(covered, facts.last_lsn);
      return false;
    });
  }

  void DecideUnlisted(ManifestEdit& edit) {
    SortBySources(unlisted_);
    for (SegmentPtr& segment : unlisted_) {
      // All its entries are in others: its merge was never published, or it was merged itself.
      if (AllTaken(*segment)) {
        leftovers_.push_back(segment->path());
        continue;
      }
      std::set<RandomId> sources;
      for (const RandomId& id : SourcesOf(*segment)) sources.insert(id);
      std::erase_if(kept_, [&](const Kept& kept) {
        auto others = SourcesOf(*kept.segment);
        bool replaced = std::all_of(others.begin(), others.end(),
                                    [&](const RandomId& id) { return sources.contains(id); });
        if (!replaced) return false;
        if (kept.listed) edit.removed.push_back(kept.segment->facts().id);
        leftovers_.push_back(kept.segment->path());
        for (const RandomId& id : others) taken_.erase(id);
        return true;
      });
      bool doubled = std::any_of(sources.begin(), sources.end(),
                                 [&](const RandomId& id) { return taken_.contains(id); });
      if (!doubled) {
        Keep(std::move(segment), /*listed=*/false);
        continue;
      }
      // Two merges that share a part: only one of them can have been published.
      std::string why = segment->path() + " holds entries that another segment has, too";
      log::Fail("segment cannot be taken in", {{"error", why}});
      MoveToQuarantine(fs_, folder_, segment->path());
      edit.lost.push_back(LossOf(segment->facts(), why));
    }
  }

  void DecideFailed(ManifestEdit& edit) {
    for (const Failed& failed : failed_) {
      bool damaged = FailureOf(failed.error) == ReadFailure::kDamaged;
      bool merged = taken_.contains(failed.facts.id);
      if (damaged) MoveToQuarantine(fs_, folder_, failed.path);
      if (damaged || merged) edit.removed.push_back(failed.facts.id);
      if (merged) continue;
      auto& losses = damaged ? edit.lost : files_.unreadable;
      losses.push_back(LossOf(failed.facts, failed.error.message()));
      log::Fail("segment is missing",
                {{"error", failed.error.message()}, {"lines", failed.facts.rows}});
    }
  }

  FileSystem& fs_;
  const std::string& folder_;
  StreamTable& streams_;
  RecoveredFiles& files_;
  std::set<std::string> listed_paths_;
  std::vector<std::string> folders_;
  std::vector<SegmentPtr> listed_;
  std::vector<Failed> failed_;
  std::vector<SegmentPtr> unlisted_;
  std::vector<Kept> kept_;
  std::set<RandomId> taken_;  // sources of what is kept
  std::vector<std::string> leftovers_;
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

  SegmentFiles segments(fs, folder, streams, files);
  if (auto listed = segments.OpenListed(); !listed) return listed.error();
  auto unlisted = segments.OpenUnlisted(opened->damaged);
  if (!unlisted) return std::move(unlisted).error();
  ManifestEdit edit = segments.Decide();
  if (opened->damaged || !edit.added.empty() || !edit.removed.empty() || !edit.lost.empty()) {
    if (auto done = files.manifest->Adopt(edit, now_ns); !done) {
      // Reading goes on, and what is written later includes it; the next start finds the same.
      log::Fail("cannot note damage in the manifest", {{"error", done.error().message()}});
      return files;
    }
  }
  segments.RemoveLeftovers();
  return files;
}

}  // namespace dunlin::store
