#include "shipper/spool/spool_folder.h"

#include <algorithm>
#include <utility>

#include "protocol/base/text.h"
#include "shipper/spool/spool_impl.h"

namespace dunlin::shipper {
namespace {

constexpr std::uint64_t kMaxSegmentBytes = 8_MiB;
constexpr std::uint64_t kSegmentsPerSpool = 8;
constexpr std::size_t kBootDigits = 32;

/// A name for one folder, not a path.
bool IsFolderName(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

Spool::Impl::Place PlaceOf(const std::string& folder, std::string_view instance,
                           std::string_view boot) {
  std::string instance_folder = Join(folder, "/", instance);
  std::string boot_folder = Join(instance_folder, "/", boot);
  return {folder, std::move(instance_folder), boot_folder, boot_folder + std::string(kLockSuffix)};
}

/// Removes a file; one that is not there is as good.
Result<void> RemoveFile(FileSystem& fs, const std::string& path) {
  auto removed = fs.Remove(path);
  if (!removed && removed.error().code() == ErrorCode::kNotFound) return {};
  return removed;
}

/// Removes the folder of a boot that holds no segments, and what was around it. The caller holds
/// the lock: whoever gets it afterwards finds no folder, and takes that as the end of it.
Result<void> RemoveEmptyBoot(FileSystem& fs, const Spool::Impl::Place& place) {
  if (auto done = RemoveFile(fs, Join(place.boot, "/", kBootFileName)); !done) return done;
  if (auto done = fs.RemoveDirectory(place.boot);
      !done && done.error().code() != ErrorCode::kNotFound) {
    return done;
  }
  if (auto done = RemoveFile(fs, place.lock); !done) return done;
  // Refused while other boots of the instance are there.
  [[maybe_unused]] auto done = fs.RemoveDirectory(place.instance);
  return {};
}

}  // namespace

bool IsSpoolBootName(std::string_view name) {
  return name.size() == kBootDigits &&
         name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

SpoolFolder::SpoolFolder(FileSystem& fs, std::string folder, SpoolOptions options)
    : fs_(fs), folder_(std::move(folder)), options_(options) {
  if (options_.segment_bytes == 0) {
    options_.segment_bytes = std::min(kMaxSegmentBytes, options_.limit_bytes / kSegmentsPerSpool);
  }
}

Result<std::unique_ptr<Spool>> SpoolFolder::Create(std::string_view instance, const RandomId& boot,
                                                   std::string_view identity) {
  if (!IsFolderName(instance)) {
    return Error(ErrorCode::kInvalidArgument, Join("cannot name a spool folder ", instance));
  }
  if (identity.empty() || identity.size() > kMaxIdentityBytes) {
    return Error(ErrorCode::kInvalidArgument, "cannot spool: an identity of a wrong size");
  }
  auto place = PlaceOf(folder_, instance, ToHex(boot));
  if (auto made = fs_.CreateDirectories(place.instance); !made) return std::move(made).error();
  // The lock comes before the folder: nobody finds a folder that its owner has not locked yet.
  auto lock = fs_.Lock(place.lock);
  if (!lock) return std::move(lock).error();
  if (fs_.Exists(place.boot)) {
    return Error(ErrorCode::kAlreadyExists, Join("cannot create ", place.boot, ": it exists"));
  }
  auto made = fs_.CreateDirectories(place.boot);
  auto file = made ? BootFile::Create(fs_, Join(place.boot, "/", kBootFileName), identity)
                   : Result<BootFile>(std::move(made).error());
  if (!file) {
    [[maybe_unused]] auto removed = RemoveEmptyBoot(fs_, place);
    return std::move(file).error();
  }
  auto impl = std::make_unique<Spool::Impl>(fs_, options_, std::move(place), std::move(*lock),
                                            std::move(*file));
  // Before the first batch may survive a power failure, whose it is has.
  if (auto synced = impl->SyncNames(); !synced) {
    [[maybe_unused]] auto removed = RemoveEmptyBoot(fs_, impl->place);
    return std::move(synced).error();
  }
  return std::unique_ptr<Spool>(new Spool(std::move(impl)));
}

Result<std::vector<SpoolOrphan>> SpoolFolder::Orphans(std::string_view own_instance) {
  std::vector<SpoolOrphan> orphans;
  auto instances = fs_.List(folder_);
  if (!instances) {
    if (instances.error().code() == ErrorCode::kNotFound) return orphans;
    return std::move(instances).error();
  }
  std::stable_partition(instances->begin(), instances->end(),
                        [&](const std::string& name) { return name == own_instance; });
  for (const std::string& instance : *instances) {
    auto names = fs_.List(Join(folder_, "/", instance));
    if (!names) continue;
    for (const std::string& name : *names) {
      // A lock without folder is what a kill left of a spool that was begun or removed.
      bool only_lock = name.ends_with(kLockSuffix) &&
                       !std::binary_search(names->begin(), names->end(),
                                           name.substr(0, name.size() - kLockSuffix.size()));
      std::string boot = only_lock ? name.substr(0, name.size() - kLockSuffix.size()) : name;
      if (!IsSpoolBootName(boot)) continue;
      auto place = PlaceOf(folder_, instance, boot);
      auto lock = fs_.Lock(place.lock);
      if (!lock) continue;
      auto files = fs_.List(place.boot);
      bool gone = !files && files.error().code() == ErrorCode::kNotFound;
      if (gone || (files && std::none_of(files->begin(), files->end(), ParseSegmentName))) {
        // Not possible while somebody else's files are in it; then it is no orphan either.
        [[maybe_unused]] auto removed = RemoveEmptyBoot(fs_, place);
      } else if (files) {
        orphans.push_back({instance, std::move(boot)});
      }
    }
  }
  return orphans;
}

Result<std::unique_ptr<Spool>> SpoolFolder::Adopt(const SpoolOrphan& orphan,
                                                  Spool::Unreadable unreadable) {
  if (!IsFolderName(orphan.instance) || !IsSpoolBootName(orphan.boot)) {
    return Error(ErrorCode::kInvalidArgument, Join("cannot adopt ", orphan.boot, ": not a boot"));
  }
  auto place = PlaceOf(folder_, orphan.instance, orphan.boot);
  auto lock = fs_.Lock(place.lock);
  if (!lock) return std::move(lock).error();
  if (!fs_.Exists(place.boot)) {
    [[maybe_unused]] auto removed = RemoveFile(fs_, place.lock);
    return Error(ErrorCode::kNotFound, Join("cannot adopt ", place.boot, ": it is gone"));
  }
  auto file = BootFile::Open(fs_, Join(place.boot, "/", kBootFileName));
  if (!file) return std::move(file).error();
  auto impl = std::make_unique<Spool::Impl>(fs_, options_, std::move(place), std::move(*lock),
                                            std::move(*file));
  if (auto loaded = impl->Load(unreadable); !loaded) return std::move(loaded).error();
  return std::unique_ptr<Spool>(new Spool(std::move(impl)));
}

Result<void> SpoolFolder::Remove(std::unique_ptr<Spool> spool) {
  Spool::Impl& impl = *spool->impl_;
  impl.open.reset();
  impl.read_file.reset();
  auto names = fs_.List(impl.place.boot);
  if (!names) return std::move(names).error();
  for (const std::string& name : *names) {
    if (!ParseSegmentName(name)) continue;
    if (auto done = RemoveFile(fs_, Join(impl.place.boot, "/", name)); !done) return done;
  }
  if (impl.foreign_files > 0) {
    return RemoveFile(fs_, Join(impl.place.boot, "/", kBootFileName));
  }
  return RemoveEmptyBoot(fs_, impl.place);
}

}  // namespace dunlin::shipper
