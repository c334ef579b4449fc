#include "agent/cgroup_folders.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/system_file.h"
#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

constexpr std::pair<std::string_view, std::string CgroupFolders::*> kControllers[] = {
    {"cpu", &CgroupFolders::cpu},
    {"cpuacct", &CgroupFolders::cpuacct},
    {"memory", &CgroupFolders::memory},
    {"pids", &CgroupFolders::pids},
    {"blkio", &CgroupFolders::blkio}};

bool Lists(std::string_view list, std::string_view name) {
  auto names = Split(list, ',');
  return std::find(names.begin(), names.end(), name) != names.end();
}

struct Mount {
  std::string root;   // of the tree, as this mount shows it
  std::string point;  // where
  std::string_view type;
  std::string_view options;  // of the file system: version 1 names its controllers there
};

int OctalDigit(char c) { return c >= '0' && c <= '7' ? c - '0' : -1; }

/// proc(5): blanks, newlines and backslashes of a path are written as \ and three octal digits.
std::string Unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      const int a = OctalDigit(text[i + 1]);
      const int b = OctalDigit(text[i + 2]);
      const int c = OctalDigit(text[i + 3]);
      if (a >= 0 && a <= 3 && b >= 0 && c >= 0) {
        out.push_back(static_cast<char>(a * 64 + b * 8 + c));
        i += 3;
        continue;
      }
    }
    out.push_back(text[i]);
  }
  return out;
}

/// proc(5): id, parent, device, root, mount point, options, optional fields, "-", type, source,
/// options of the file system.
std::vector<Mount> CgroupMounts(std::string_view mounts) {
  std::vector<Mount> found;
  while (!mounts.empty()) {
    std::string_view line = TakeLine(mounts);
    Mount mount;
    for (int skipped = 0; skipped < 3; ++skipped) TakeWord(line);
    mount.root = Unescaped(TakeWord(line));
    mount.point = Unescaped(TakeWord(line));
    for (std::string_view word = TakeWord(line); word != "-" && !word.empty();) {
      word = TakeWord(line);
    }
    mount.type = TakeWord(line);
    TakeWord(line);
    mount.options = TakeWord(line);
    if (mount.type == "cgroup" || mount.type == "cgroup2") found.push_back(std::move(mount));
  }
  return found;
}

/// Whether a path leads out of what this process's cgroup namespace shows.
bool LeadsOut(std::string_view path) { return path == "/.." || path.starts_with("/../"); }

/// The group at `path` of a tree as `mount` shows it; empty when the mount does not show it.
std::string Below(const Mount& mount, std::string_view path) {
  if (LeadsOut(path) || LeadsOut(mount.root)) return {};
  std::string_view rest = path;
  if (mount.root != "/") {
    if (!path.starts_with(mount.root)) return {};
    rest.remove_prefix(mount.root.size());
    if (!rest.empty() && rest.front() != '/') return {};
  }
  if (rest == "/") rest = {};
  return Join(mount.point, rest);
}

/// Of the mounts that show a tree, the group at `path`. A container may be told the path as the
/// host sees it and yet be shown only its own part of the tree: that is what the mount shows then.
template <typename Shows>
std::string Find(const std::vector<Mount>& mounts, std::string_view path, const Shows& shows,
                 const std::function<bool(const std::string&)>& exists) {
  for (const Mount& mount : mounts) {
    if (!shows(mount)) continue;
    if (std::string folder = Below(mount, path); !folder.empty() && exists(folder)) return folder;
  }
  for (const Mount& mount : mounts) {
    if (shows(mount) && !LeadsOut(path) && !LeadsOut(mount.root) && exists(mount.point)) {
      return mount.point;
    }
  }
  return {};
}

/// Without /proc there is only the customary place.
CgroupFolders CustomaryFolders(const std::function<bool(const std::string&)>& exists) {
  constexpr std::string_view kPlace = "/sys/fs/cgroup";
  CgroupFolders folders;
  for (std::string_view unified : {"", "/unified"}) {
    std::string folder = Join(kPlace, unified);
    if (folders.unified.empty() && exists(folder + "/cgroup.controllers")) {
      folders.unified = std::move(folder);
    }
  }
  for (auto [name, member] : kControllers) {
    std::string folder = Join(kPlace, "/", name);
    if (exists(folder + "/cgroup.procs")) folders.*member = std::move(folder);
  }
  return folders;
}

}  // namespace

CgroupFolders FindCgroupFolders(std::string_view memberships, std::string_view mounts,
                                const std::function<bool(const std::string&)>& exists) {
  const std::vector<Mount> cgroup_mounts = CgroupMounts(mounts);
  if (cgroup_mounts.empty()) return CustomaryFolders(exists);
  CgroupFolders folders;
  while (!memberships.empty()) {
    // cgroups(7): "5:cpu,cpuacct:/path"; version 2 is "0::/path".
    std::string_view line = TakeLine(memberships);
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    std::string_view controllers = line.substr(first + 1, second - first - 1);
    std::string_view path = line.substr(second + 1);
    if (line.substr(0, first) == "0" && controllers.empty()) {
      folders.unified = Find(
          cgroup_mounts, path, [](const Mount& mount) { return mount.type == "cgroup2"; }, exists);
    }
    for (auto [name, member] : kControllers) {
      if (!Lists(controllers, name)) continue;
      folders.*member = Find(
          cgroup_mounts, path,
          [name = name](const Mount& mount) {
            return mount.type == "cgroup" && Lists(mount.options, name);
          },
          exists);
    }
  }
  return folders;
}

}  // namespace dunlin::agent
