#include "protocol/net/process_list.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>

#include "protocol/base/text.h"
#include "protocol/net/descriptor.h"

namespace dunlin::net {
namespace {

struct FolderCloser {
  void operator()(DIR* folder) const { closedir(folder); }
};

std::optional<ProcessEntry> ReadProcess(std::string_view pid) {
  Descriptor file(open(Join("/proc/", pid, "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  // Enough for the first fields: a name has at most 64 bytes.
  char text[512];
  const ssize_t size = file ? read(file.get(), text, sizeof text) : -1;
  if (size <= 0) return std::nullopt;  // it has gone
  return ParseProcessStat({text, static_cast<std::size_t>(size)});
}

bool HasChildren(idtype_t which, id_t id) {
  siginfo_t info{};
  for (;;) {
    if (waitid(which, id, &info, WEXITED | WNOHANG | WNOWAIT) == 0) return true;
    if (errno != EINTR) return false;
  }
}

}  // namespace

std::optional<ProcessEntry> ParseProcessStat(std::string_view stat) {
  // "PID (NAME) STATE PARENT GROUP ...", where NAME may hold anything, parentheses included.
  const std::size_t begin = stat.find(" (");
  const std::size_t end = stat.rfind(") ");
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) {
    return std::nullopt;
  }
  const auto fields = Split(stat.substr(end + 2), ' ');
  if (fields.size() < 3) return std::nullopt;
  const auto pid = ParseInteger<pid_t>(stat.substr(0, begin));
  const auto parent = ParseInteger<pid_t>(fields[1]);
  const auto group = ParseInteger<pid_t>(fields[2]);
  if (!pid || !parent || !group) return std::nullopt;
  return ProcessEntry{*pid, *parent, *group, fields[0] == "Z" || fields[0] == "X"};
}

std::optional<std::vector<ProcessEntry>> ListProcesses() {
  const std::unique_ptr<DIR, FolderCloser> folder(opendir("/proc"));
  if (!folder) return std::nullopt;
  std::vector<ProcessEntry> processes;
  while (const dirent* entry = readdir(folder.get())) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    if (auto process = ReadProcess(entry->d_name)) processes.push_back(*process);
  }
  // An empty folder in place of /proc is as good as none: at least this process must be there.
  if (processes.empty()) return std::nullopt;
  return processes;
}

std::optional<std::vector<ProcessEntry>> ListChildren() {
  Descriptor file(open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC));
  if (!file) {
    auto processes = ListProcesses();
    if (processes) std::erase_if(*processes, [](const auto& p) { return p.parent != getpid(); });
    return processes;
  }
  std::string text;
  char piece[512];
  for (ssize_t size; (size = read(file.get(), piece, sizeof piece)) > 0;) {
    text.append(piece, static_cast<std::size_t>(size));
  }
  std::vector<ProcessEntry> children;
  for (std::string_view pid : Split(text, ' ')) {
    if (pid.empty()) continue;
    if (auto child = ReadProcess(pid)) children.push_back(*child);
  }
  return children;
}

bool HasChildren() { return HasChildren(P_ALL, 0); }

bool HasChildrenInGroup(pid_t group) { return HasChildren(P_PGID, static_cast<id_t>(group)); }

}  // namespace dunlin::net
