#include "controller/drivers/process_identity.h"

#include <signal.h>

#include <algorithm>
#include <set>

#include "protocol/base/file_system.h"
#include "protocol/base/text.h"

namespace dunlin::controller {
namespace {

/// The whole of a /proc file, which has no size to ask for; "" when it cannot be read.
std::string ReadProcFile(const std::string& path) {
  std::string text(4096, '\0');
  auto file = PosixFileSystem().Open(path, FileSystem::Mode::kRead);
  if (!file) return "";
  auto size = (*file)->ReadAt(0, text.data(), text.size());
  text.resize(size ? *size : 0);
  return text;
}

std::vector<ProcessStat> AllProcesses() {
  std::vector<ProcessStat> processes;
  auto names = PosixFileSystem().List("/proc");
  if (!names) return processes;
  for (const std::string& name : *names) {
    auto pid = ParseInteger<pid_t>(name);
    if (!pid) continue;
    if (auto stat = ReadProcessStat(*pid)) processes.push_back(*stat);
  }
  return processes;
}

}  // namespace

std::optional<ProcessIdentity> ParseProcessIdentity(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  auto parts = Split(text, ' ');
  if (parts.size() != 4) return std::nullopt;
  auto pid = ParseInteger<pid_t>(parts[0]);
  auto start = ParseInteger<std::uint64_t>(parts[1]);
  auto session = ParseInteger<pid_t>(parts[2]);
  if (!pid || *pid <= 1 || !start || !session || parts[3].empty()) return std::nullopt;
  return ProcessIdentity{*pid, *start, *session, std::string(parts[3])};
}

std::optional<ProcessStat> ParseProcessStat(std::string_view text) {
  // proc(5): "pid (name) state ppid pgrp session ...", start time is field 22. The name may hold
  // anything, a parenthesis too.
  std::size_t open = text.find('(');
  std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return std::nullopt;
  }
  auto pid = ParseInteger<pid_t>(Trim(text.substr(0, open)));
  auto fields = Split(Trim(text.substr(close + 1)), ' ');
  if (!pid || fields.size() < 20 || fields[0].size() != 1) return std::nullopt;
  auto parent = ParseInteger<pid_t>(fields[1]);
  auto session = ParseInteger<pid_t>(fields[3]);
  auto start = ParseInteger<std::uint64_t>(fields[19]);
  if (!parent || !session || !start) return std::nullopt;
  return ProcessStat{*pid, fields[0][0], *parent, *session, *start};
}

std::optional<ProcessStat> ReadProcessStat(pid_t pid) {
  return ParseProcessStat(ReadProcFile(Join("/proc/", pid, "/stat")));
}

std::string BootId() {
  std::string text = ReadProcFile("/proc/sys/kernel/random/boot_id");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

bool IsRunning(const ProcessIdentity& process) {
  auto stat = ReadProcessStat(process.pid);
  return stat && stat->start_ticks == process.start_ticks && stat->state != 'Z' &&
         stat->state != 'X' && process.boot_id == BootId();
}

void KillFamily(const ProcessIdentity& process) {
  if (process.boot_id != BootId()) return;
  // Twice: a process may fork between being listed and being killed.
  for (int round = 0; round < 2; ++round) {
    std::vector<ProcessStat> all = AllProcesses();
    std::set<pid_t> family;
    // A session's number can come again, with a new leader, once its last process is gone.
    bool same_session = std::none_of(all.begin(), all.end(), [&](const ProcessStat& stat) {
      return stat.pid == process.session && stat.start_ticks > process.start_ticks;
    });
    for (const ProcessStat& stat : all) {
      bool itself = stat.pid == process.pid && stat.start_ticks == process.start_ticks;
      bool of_session = same_session && stat.session == process.session &&
                        stat.pid != process.session && stat.start_ticks >= process.start_ticks;
      if (itself || of_session) family.insert(stat.pid);
    }
    for (bool grown = true; grown;) {
      grown = false;
      for (const ProcessStat& stat : all) {
        if (family.count(stat.parent) != 0) grown |= family.insert(stat.pid).second;
      }
    }
    for (pid_t pid : family) ::kill(pid, SIGKILL);
  }
}

}  // namespace dunlin::controller
