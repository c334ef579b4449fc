#include "tests/support/faulty_file_system.h"

#include <utility>

#include "protocol/base/text.h"

namespace dunlin::testing {

Result<void> FaultyFileSystem::State::Count(Call kind, const std::string& path) {
  std::unique_lock lock(mutex);
  if (kinds.empty() ? kind == Call::kRead : !kinds.contains(kind)) return {};
  std::uint64_t n = calls++;
  if (observer) {
    auto call = observer;
    lock.unlock();
    call(n, kind, path);
    lock.lock();
  }
  bool fails = fail_at && (lasting == Lasting::kForever ? n >= *fail_at : n == *fail_at);
  if (!fails) return {};
  ++failures;
  if (error_number != 0) {
    return ErrnoError(error_number, Join("cannot use ", path, ": injected failure of call ", n));
  }
  return Error(code, Join("cannot use ", path, ": injected failure of call ", n));
}

Result<void> FaultyFileSystem::State::CheckRead(const std::string& path) const {
  std::lock_guard lock(mutex);
  if (!unreadable || path.find(unreadable->first) == std::string::npos) return {};
  return Error(unreadable->second, Join("cannot read ", path, ": injected failure"));
}

class FaultyFileSystem::FaultyFile final : public File {
 public:
  FaultyFile(std::shared_ptr<State> state, std::unique_ptr<File> under, std::string path)
      : state_(std::move(state)), under_(std::move(under)), path_(std::move(path)) {}

  Result<std::size_t> ReadAt(std::uint64_t position, char* out, std::size_t size) const override {
    if (auto readable = state_->CheckRead(path_); !readable) return readable.error();
    if (auto counted = state_->Count(Call::kRead, path_); !counted) {
      return std::move(counted).error();
    }
    return under_->ReadAt(position, out, size);
  }
  Result<void> WriteAt(std::uint64_t position, std::string_view bytes) override {
    if (auto counted = state_->Count(Call::kWrite, path_); !counted) {
      // A write that fails may have written any part.
      if (auto half = under_->WriteAt(position, bytes.substr(0, bytes.size() / 2)); !half) {
        return half;
      }
      return counted;
    }
    return under_->WriteAt(position, bytes);
  }
  Result<void> Sync() override {
    {
      std::unique_lock lock(state_->mutex);
      if (state_->hold_syncs) {
        ++state_->held_syncs;
        state_->changed.notify_all();
        state_->changed.wait(lock, [&] { return !state_->hold_syncs; });
        --state_->held_syncs;
      }
    }
    if (auto counted = state_->Count(Call::kSync, path_); !counted) return counted;
    return under_->Sync();
  }
  Result<void> Truncate(std::uint64_t size) override {
    if (auto counted = state_->Count(Call::kWrite, path_); !counted) return counted;
    return under_->Truncate(size);
  }
  Result<void> Preallocate(std::uint64_t size) override {
    if (auto counted = state_->Count(Call::kWrite, path_); !counted) return counted;
    return under_->Preallocate(size);
  }
  Result<std::uint64_t> Size() const override { return under_->Size(); }

 private:
  std::shared_ptr<State> state_;
  std::unique_ptr<File> under_;
  std::string path_;
};

FaultyFileSystem::FaultyFileSystem(FileSystem& under)
    : under_(under), state_(std::make_shared<State>()) {}
FaultyFileSystem::~FaultyFileSystem() = default;

void FaultyFileSystem::FailCall(std::uint64_t n, Lasting lasting, ErrorCode code,
                                std::set<Call> kinds) {
  std::lock_guard lock(state_->mutex);
  state_->calls = 0;
  state_->failures = 0;
  state_->fail_at = n;
  state_->lasting = lasting;
  state_->code = code;
  state_->error_number = 0;
  state_->kinds = std::move(kinds);
}

void FaultyFileSystem::FailReads(std::string part, ErrorCode code) {
  std::lock_guard lock(state_->mutex);
  state_->unreadable = {std::move(part), code};
}

void FaultyFileSystem::FailCallWithErrno(std::uint64_t n, Lasting lasting, int error_number,
                                         std::set<Call> kinds) {
  FailCall(n, lasting, ErrorCode::kIo, std::move(kinds));
  std::lock_guard lock(state_->mutex);
  state_->error_number = error_number;
}

void FaultyFileSystem::Heal() {
  std::lock_guard lock(state_->mutex);
  state_->calls = 0;
  state_->failures = 0;
  state_->fail_at.reset();
  state_->unreadable.reset();
  state_->kinds.clear();
}

std::uint64_t FaultyFileSystem::calls() const {
  std::lock_guard lock(state_->mutex);
  return state_->calls;
}

std::uint64_t FaultyFileSystem::failures() const {
  std::lock_guard lock(state_->mutex);
  return state_->failures;
}

void FaultyFileSystem::OnCall(
    std::function<void(std::uint64_t, Call, const std::string&)> observer) {
  std::lock_guard lock(state_->mutex);
  state_->observer = std::move(observer);
}

void FaultyFileSystem::HoldSyncs() {
  std::lock_guard lock(state_->mutex);
  state_->hold_syncs = true;
}

void FaultyFileSystem::ReleaseSyncs() {
  std::lock_guard lock(state_->mutex);
  state_->hold_syncs = false;
  state_->changed.notify_all();
}

void FaultyFileSystem::WaitForHeldSync() {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return state_->held_syncs > 0; });
}

Result<std::unique_ptr<File>> FaultyFileSystem::Open(const std::string& path, Mode mode) {
  if (mode != Mode::kRead && mode != Mode::kWrite) {
    if (auto counted = state_->Count(Call::kCreate, path); !counted) return counted.error();
  } else if (auto readable = state_->CheckRead(path); !readable) {
    return readable.error();
  }
  auto file = under_.Open(path, mode);
  if (!file) return file;
  return std::unique_ptr<File>(std::make_unique<FaultyFile>(state_, std::move(*file), path));
}

Result<void> FaultyFileSystem::Rename(const std::string& from, const std::string& to) {
  if (auto counted = state_->Count(Call::kRename, to); !counted) return counted;
  return under_.Rename(from, to);
}

Result<void> FaultyFileSystem::Remove(const std::string& path) {
  if (auto counted = state_->Count(Call::kRemove, path); !counted) return counted;
  return under_.Remove(path);
}

Result<void> FaultyFileSystem::CreateDirectories(const std::string& path) {
  if (auto counted = state_->Count(Call::kCreateDirectories, path); !counted) return counted;
  return under_.CreateDirectories(path);
}

Result<void> FaultyFileSystem::RemoveDirectory(const std::string& path) {
  if (auto counted = state_->Count(Call::kRemove, path); !counted) return counted;
  return under_.RemoveDirectory(path);
}

Result<std::vector<std::string>> FaultyFileSystem::List(const std::string& path) {
  if (auto readable = state_->CheckRead(path); !readable) return readable.error();
  return under_.List(path);
}

bool FaultyFileSystem::Exists(const std::string& path) { return under_.Exists(path); }

Result<void> FaultyFileSystem::SyncDirectory(const std::string& path) {
  if (auto counted = state_->Count(Call::kSyncDirectory, path); !counted) return counted;
  return under_.SyncDirectory(path);
}

Result<std::unique_ptr<FileLock>> FaultyFileSystem::Lock(const std::string& path) {
  return under_.Lock(path);
}

Result<std::uint64_t> FaultyFileSystem::FreeSpace(const std::string& path) {
  return under_.FreeSpace(path);
}

}  // namespace dunlin::testing
