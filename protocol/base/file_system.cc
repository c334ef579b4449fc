#include "protocol/base/file_system.h"

namespace dunlin {

std::string ParentPath(const std::string& path) {
  std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<std::string> ReadFile(FileSystem& fs, const std::string& path) {
  auto file = fs.Open(path, FileSystem::Mode::kRead);
  if (!file) return std::move(file).error();
  std::string contents;
  // Sizes are a hint only: files under /proc report none.
  std::size_t chunk = 64 * 1024;
  if (auto size = (*file)->Size(); size && *size > 0) chunk = static_cast<std::size_t>(*size) + 1;
  for (;;) {
    std::size_t have = contents.size();
    contents.resize(have + chunk);
    auto got = (*file)->ReadAt(have, contents.data() + have, chunk);
    if (!got) return std::move(got).error();
    contents.resize(have + *got);
    if (*got < chunk) return contents;
  }
}

namespace {

/// Creates `path` with `contents`, on disk when it returns.
Result<void> WriteNewFile(FileSystem& fs, const std::string& path, std::string_view contents,
                          FileSystem::Mode mode) {
  auto file = fs.Open(path, mode);
  if (!file) return std::move(file).error();
  if (auto done = (*file)->WriteAt(0, contents); !done) return done;
  return (*file)->Sync();
}

}  // namespace

Result<void> WriteFileAtomically(FileSystem& fs, const std::string& path, std::string_view contents,
                                 FileSystem::Mode mode) {
  std::string temporary = path + ".tmp";
  auto done = WriteNewFile(fs, temporary, contents, mode);
  if (done) done = fs.Rename(temporary, path);
  if (!done) {
    // On a full disk the part that was written is wanted back. The first error is the one to tell.
    [[maybe_unused]] auto removed = fs.Remove(temporary);
    return done;
  }
  return fs.SyncDirectory(ParentPath(path));
}

}  // namespace dunlin
