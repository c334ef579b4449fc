#pragma once

#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/net/child_process.h"
#include "tests/support/loop_runner.h"

namespace dunlin::net {

/// What a child left behind.
struct FinishedChild {
  std::string output;
  std::string error_output;
  ExitStatus status;
};

/// Collects what comes through a pipe, until its end.
class PipeReader {
 public:
  PipeReader(Loop& loop, Descriptor fd)
      : fd_(std::move(fd)),
        watcher_(std::make_unique<DescriptorWatcher>(loop, fd_.get(), [this] { Read(); })) {
    watcher_->Start();
  }

  bool at_end() const { return watcher_ == nullptr; }
  const std::string& text() const { return text_; }

 private:
  void Read() {
    char buffer[4096];
    ssize_t size = read(fd_.get(), buffer, sizeof buffer);
    if (size > 0) text_.append(buffer, static_cast<std::size_t>(size));
    if (size == 0) watcher_.reset();
  }

  Descriptor fd_;
  std::string text_;
  std::unique_ptr<DescriptorWatcher> watcher_;
};

/// Runs a child to its end and to the end of its outputs.
inline FinishedChild RunChild(const SpawnOptions& options) {
  Loop loop;
  pid_t pid = 0;
  std::optional<ExitStatus> status;
  Reaper reaper(loop, [&](pid_t ended, ExitStatus how) {
    if (ended == pid) status = how;
  });
  auto spawned = Spawn(options);
  if (auto* failure = std::get_if<SpawnFailure>(&spawned)) FAIL(failure->error.message());
  auto& child = std::get<ChildProcess>(spawned);
  pid = child.pid;
  PipeReader output(loop, std::move(child.standard_output));
  std::optional<PipeReader> error_output;
  if (child.standard_error) error_output.emplace(loop, std::move(child.standard_error));
  reaper.Poll();
  testing::RunUntil(
      loop, [&] { return status && output.at_end() && (!error_output || error_output->at_end()); });
  return {output.text(), error_output ? error_output->text() : "", *status};
}

inline SpawnOptions Shell(std::string script) {
  SpawnOptions options;
  options.arguments = {"sh", "-c", std::move(script)};
  return options;
}

}  // namespace dunlin::net
