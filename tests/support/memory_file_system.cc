#include "tests/support/memory_file_system.h"

#include <algorithm>
#include <optional>
#include <random>
#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::testing {
namespace {

/// A change of contents that no Sync has made durable yet; `truncate` sets the size instead.
struct Change {
  std::uint64_t position = 0;
  std::string bytes;
  std::optional<std::uint64_t> truncate;
};

void Apply(std::string& contents, const Change& change) {
  if (change.truncate) {
    contents.resize(*change.truncate);
    return;
  }
  std::uint64_t end = change.position + change.bytes.size();
  if (contents.size() < end) contents.resize(end);
  contents.replace(change.position, change.bytes.size(), change.bytes);
}

Error Crashed(const std::string& path) {
  return Error(ErrorCode::kIo, Join("cannot use ", path, ": the machine it was open on crashed"));
}

}  // namespace

/// A file's contents, apart from its names.
struct MemoryFileSystem::Node {
  std::string now;
  std::string durable;
  std::vector<Change> unsynced;

  void Make(Change change) {
    Apply(now, change);
    unsynced.push_back(std::move(change));
  }
  void MakeDurable() {
    for (const Change& change : unsynced) Apply(durable, change);
    unsynced.clear();
  }
};

struct MemoryFileSystem::State {
  using NodePtr = std::shared_ptr<Node>;  // shared: an open file outlives its name
  struct NameChange {
    std::string path;
    NodePtr node;  // none: the name was removed
    bool folder = false;
  };
  struct Names {
    std::map<std::string, NodePtr> files;
    std::set<std::string> folders{"/"};

    void Make(const NameChange& change) {
      if (change.folder) {
        if (change.node) {
          folders.insert(change.path);
        } else {
          folders.erase(change.path);
        }
      } else if (change.node) {
        files[change.path] = change.node;
      } else {
        files.erase(change.path);
      }
    }
  };

  std::mutex mutex;
  Names now;
  Names durable;
  std::vector<NameChange> unsynced;
  std::set<std::string> locks;
  std::uint64_t epoch = 0;  // files and locks of an earlier one are dead
  std::uint64_t free_bytes = 1024_GiB;

  void Rename(NameChange change) {
    now.Make(change);
    unsynced.push_back(std::move(change));
  }

  /// Makes the durable state the present one.
  void Restart() {
    // A name is gone with its folder.
    auto orphaned = [&](const std::string& path) {
      for (std::string parent = ParentPath(path); parent != "/"; parent = ParentPath(parent)) {
        if (!durable.folders.contains(parent)) return true;
      }
      return false;
    };
    std::erase_if(durable.folders, orphaned);
    std::erase_if(durable.files, [&](const auto& item) { return orphaned(item.first); });
    for (auto& [path, node] : durable.files) {
      node->now = node->durable;
      node->unsynced.clear();
    }
    now = durable;
    unsynced.clear();
    locks.clear();
    ++epoch;
  }

  void KeepEverything() {
    for (auto& [path, node] : now.files) node->MakeDurable();
    durable = now;
  }
};

class MemoryFileSystem::OpenFile final : public File {
 public:
  OpenFile(std::shared_ptr<State> state, std::shared_ptr<Node> node, std::string path,
           bool writable)
      : state_(std::move(state)),
        node_(std::move(node)),
        path_(std::move(path)),
        writable_(writable),
        epoch_(state_->epoch) {}

  Result<std::size_t> ReadAt(std::uint64_t position, char* out, std::size_t size) const override {
    std::lock_guard lock(state_->mutex);
    if (epoch_ != state_->epoch) return Crashed(path_);
    if (position >= node_->now.size()) return std::size_t{0};
    return node_->now.copy(out, size, position);
  }

  Result<void> WriteAt(std::uint64_t position, std::string_view bytes) override {
    std::lock_guard lock(state_->mutex);
    if (auto usable = Usable(); !usable) return usable;
    if (auto grown = Grow(position + bytes.size()); !grown) return grown;
    node_->Make({position, std::string(bytes), std::nullopt});
    return {};
  }

  Result<void> Sync() override {
    std::lock_guard lock(state_->mutex);
    if (auto usable = Usable(); !usable) return usable;
    node_->MakeDurable();
    return {};
  }

  Result<void> Truncate(std::uint64_t size) override {
    std::lock_guard lock(state_->mutex);
    if (auto usable = Usable(); !usable) return usable;
    if (auto grown = Grow(size); !grown) return grown;
    if (size < node_->now.size()) state_->free_bytes += node_->now.size() - size;
    node_->Make({0, {}, size});
    return {};
  }

  Result<void> Preallocate(std::uint64_t size) override {
    std::lock_guard lock(state_->mutex);
    if (auto usable = Usable(); !usable) return usable;
    if (size <= node_->now.size()) return {};
    if (auto grown = Grow(size); !grown) return grown;
    node_->Make({0, {}, size});
    return {};
  }

  Result<std::uint64_t> Size() const override {
    std::lock_guard lock(state_->mutex);
    if (epoch_ != state_->epoch) return Crashed(path_);
    return std::uint64_t{node_->now.size()};
  }

 private:
  Result<void> Usable() const {
    if (epoch_ != state_->epoch) return Crashed(path_);
    if (!writable_) {
      return Error(ErrorCode::kIo, Join("cannot write ", path_, ": opened for reading"));
    }
    return {};
  }

  Result<void> Grow(std::uint64_t size) {
    if (size <= node_->now.size()) return {};
    std::uint64_t more = size - node_->now.size();
    if (more > state_->free_bytes) {
      return Error(ErrorCode::kExhausted, Join("cannot write ", path_, ": no space left"));
    }
    state_->free_bytes -= more;
    return {};
  }

  std::shared_ptr<State> state_;
  std::shared_ptr<Node> node_;
  std::string path_;
  bool writable_;
  std::uint64_t epoch_;
};

class MemoryFileSystem::HeldLock final : public FileLock {
 public:
  HeldLock(std::shared_ptr<State> state, std::string path)
      : state_(std::move(state)), path_(std::move(path)), epoch_(state_->epoch) {}
  ~HeldLock() override {
    std::lock_guard lock(state_->mutex);
    if (epoch_ == state_->epoch) state_->locks.erase(path_);
  }
  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;

 private:
  std::shared_ptr<State> state_;
  std::string path_;
  std::uint64_t epoch_;
};

MemoryFileSystem::MemoryFileSystem() : state_(std::make_shared<State>()) {}
MemoryFileSystem::~MemoryFileSystem() = default;

void MemoryFileSystem::Crash() {
  std::lock_guard lock(state_->mutex);
  state_->Restart();
}

void MemoryFileSystem::CrashTorn(std::uint64_t seed) {
  std::lock_guard lock(state_->mutex);
  std::mt19937_64 random(seed);
  std::size_t names = random() % (state_->unsynced.size() + 1);
  for (std::size_t i = 0; i < names; ++i) state_->durable.Make(state_->unsynced[i]);
  for (auto& [path, node] : state_->durable.files) {
    for (Change change : node->unsynced) {
      switch (random() % 3) {
        case 0:
          continue;
        case 1:
          if (!change.bytes.empty()) change.bytes.resize(random() % change.bytes.size());
          break;
        default:
          break;
      }
      Apply(node->durable, change);
    }
  }
  state_->Restart();
}

void MemoryFileSystem::Kill() {
  std::lock_guard lock(state_->mutex);
  state_->KeepEverything();
  state_->Restart();
}

void MemoryFileSystem::Corrupt(const std::string& path, std::uint64_t position,
                               std::uint8_t xor_mask) {
  std::lock_guard lock(state_->mutex);
  auto found = state_->now.files.find(path);
  Check(found != state_->now.files.end(), "no such file to corrupt");
  for (std::string* contents : {&found->second->now, &found->second->durable}) {
    if (position < contents->size()) {
      (*contents)[position] = static_cast<char>((*contents)[position] ^ xor_mask);
    }
  }
}

void MemoryFileSystem::Cut(const std::string& path, std::uint64_t size) {
  std::lock_guard lock(state_->mutex);
  auto found = state_->now.files.find(path);
  Check(found != state_->now.files.end(), "no such file to cut");
  found->second->now.resize(size);
  found->second->durable = found->second->now;
  found->second->unsynced.clear();
}

std::string MemoryFileSystem::Contents(const std::string& path) {
  std::lock_guard lock(state_->mutex);
  auto found = state_->now.files.find(path);
  return found == state_->now.files.end() ? std::string() : found->second->now;
}

void MemoryFileSystem::Put(const std::string& path, std::string contents) {
  std::lock_guard lock(state_->mutex);
  auto node = std::make_shared<Node>();
  node->now = contents;
  node->durable = std::move(contents);
  state_->now.files[path] = node;
  state_->durable.files[path] = node;
}

std::vector<std::string> MemoryFileSystem::Files(const std::string& folder) {
  std::lock_guard lock(state_->mutex);
  std::string prefix = folder == "/" ? folder : folder + "/";
  std::vector<std::string> paths;
  for (const auto& [path, node] : state_->now.files) {
    if (path.starts_with(prefix)) paths.push_back(path);
  }
  return paths;
}

void MemoryFileSystem::SetFreeSpace(std::uint64_t bytes) {
  std::lock_guard lock(state_->mutex);
  state_->free_bytes = bytes;
}

Result<std::unique_ptr<File>> MemoryFileSystem::Open(const std::string& path, Mode mode) {
  const bool creates = mode != Mode::kRead && mode != Mode::kWrite;
  std::lock_guard lock(state_->mutex);
  auto found = state_->now.files.find(path);
  std::shared_ptr<Node> node;
  if (found != state_->now.files.end()) {
    node = found->second;
    if (creates) node->Make({0, {}, 0});
  } else {
    if (!creates || !state_->now.folders.contains(ParentPath(path))) {
      return Error(ErrorCode::kNotFound, Join("cannot open ", path, ": no such file or folder"));
    }
    node = std::make_shared<Node>();
    state_->Rename({path, node, /*folder=*/false});
  }
  return std::unique_ptr<File>(
      std::make_unique<OpenFile>(state_, std::move(node), path, mode != Mode::kRead));
}

Result<void> MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(state_->mutex);
  auto found = state_->now.files.find(from);
  if (found == state_->now.files.end() || !state_->now.folders.contains(ParentPath(to))) {
    return Error(ErrorCode::kNotFound, Join("cannot rename ", from, " to ", to, ": not found"));
  }
  auto node = found->second;
  state_->Rename({to, node, /*folder=*/false});
  state_->Rename({from, nullptr, /*folder=*/false});
  return {};
}

Result<void> MemoryFileSystem::Remove(const std::string& path) {
  std::lock_guard lock(state_->mutex);
  auto found = state_->now.files.find(path);
  if (found == state_->now.files.end()) {
    return Error(ErrorCode::kNotFound, Join("cannot remove ", path, ": no such file"));
  }
  state_->free_bytes += found->second->now.size();
  state_->Rename({path, nullptr, /*folder=*/false});
  return {};
}

Result<void> MemoryFileSystem::CreateDirectories(const std::string& path) {
  std::lock_guard lock(state_->mutex);
  std::vector<std::string> missing;
  for (std::string at = path; !state_->now.folders.contains(at); at = ParentPath(at)) {
    missing.push_back(at);
  }
  for (auto at = missing.rbegin(); at != missing.rend(); ++at) {
    state_->Rename({*at, std::make_shared<Node>(), /*folder=*/true});
  }
  return {};
}

Result<void> MemoryFileSystem::RemoveDirectory(const std::string& path) {
  std::lock_guard lock(state_->mutex);
  auto inside = [&](const auto& item) { return ParentPath(item) == path; };
  bool full = std::any_of(state_->now.files.begin(), state_->now.files.end(),
                          [&](const auto& item) { return inside(item.first); }) ||
              std::any_of(state_->now.folders.begin(), state_->now.folders.end(), inside);
  if (full || !state_->now.folders.contains(path)) {
    return Error(ErrorCode::kIo, Join("cannot remove folder ", path, ": not empty or not there"));
  }
  state_->Rename({path, nullptr, /*folder=*/true});
  return {};
}

Result<std::vector<std::string>> MemoryFileSystem::List(const std::string& path) {
  std::lock_guard lock(state_->mutex);
  if (!state_->now.folders.contains(path)) {
    return Error(ErrorCode::kNotFound, Join("cannot list ", path, ": no such folder"));
  }
  std::vector<std::string> names;
  std::size_t skip = path == "/" ? 1 : path.size() + 1;
  for (const auto& [file, node] : state_->now.files) {
    if (ParentPath(file) == path) names.push_back(file.substr(skip));
  }
  for (const std::string& folder : state_->now.folders) {
    if (folder != "/" && ParentPath(folder) == path) names.push_back(folder.substr(skip));
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool MemoryFileSystem::Exists(const std::string& path) {
  std::lock_guard lock(state_->mutex);
  return state_->now.files.contains(path) || state_->now.folders.contains(path);
}

Result<void> MemoryFileSystem::SyncDirectory(const std::string& path) {
  std::lock_guard lock(state_->mutex);
  if (!state_->now.folders.contains(path)) {
    return Error(ErrorCode::kNotFound, Join("cannot sync folder ", path, ": no such folder"));
  }
  std::erase_if(state_->unsynced, [&](const State::NameChange& change) {
    if (ParentPath(change.path) != path) return false;
    state_->durable.Make(change);
    return true;
  });
  return {};
}

Result<std::unique_ptr<FileLock>> MemoryFileSystem::Lock(const std::string& path) {
  std::lock_guard lock(state_->mutex);
  if (!state_->locks.insert(path).second) {
    return Error(ErrorCode::kAlreadyExists,
                 Join("cannot lock ", path, ": another process uses this folder"));
  }
  return std::unique_ptr<FileLock>(std::make_unique<HeldLock>(state_, path));
}

Result<std::uint64_t> MemoryFileSystem::FreeSpace(const std::string&) {
  std::lock_guard lock(state_->mutex);
  return state_->free_bytes;
}

}  // namespace dunlin::testing
