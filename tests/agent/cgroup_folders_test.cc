#include "agent/cgroup_folders.h"

#include <set>
#include <string>

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

CgroupFolders Find(std::string_view memberships, std::string_view mounts,
                   const std::set<std::string>& paths) {
  return FindCgroupFolders(memberships, mounts,
                           [&](const std::string& path) { return paths.contains(path); });
}

constexpr std::string_view kUnifiedMount =
    "29 22 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST_CASE("version 2: the group below the mount", "[agent][cgroup]") {
  CHECK(
      Find("0::/a/b.service\n", kUnifiedMount, {"/sys/fs/cgroup", "/sys/fs/cgroup/a/b.service"}) ==
      CgroupFolders{.unified = "/sys/fs/cgroup/a/b.service"});
  CHECK(Find("0::/\n", kUnifiedMount, {"/sys/fs/cgroup"}) ==
        CgroupFolders{.unified = "/sys/fs/cgroup"});
}

TEST_CASE("a container told the host's path is shown its own part of the tree", "[agent][cgroup]") {
  SECTION("where the mount says which part it is") {
    CHECK(Find("3:memory:/docker/ab/inner\n",
               "9 8 0:1 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
               {"/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/inner"}) ==
          CgroupFolders{.memory = "/sys/fs/cgroup/memory/inner"});
  }
  SECTION("where it does not") {
    CHECK(Find("0::/docker/ab\n", kUnifiedMount, {"/sys/fs/cgroup"}) ==
          CgroupFolders{.unified = "/sys/fs/cgroup"});
  }
  SECTION("and a part of the same beginning is another one") {
    CHECK(Find("3:memory:/docker/abc\n",
               "9 8 0:1 /docker/ab /x rw - cgroup cgroup rw,memory\n"
               "10 8 0:1 / /y rw - cgroup cgroup rw,memory\n",
               {"/x", "/xc", "/x/c", "/y/docker/abc"}) == CgroupFolders{.memory = "/y/docker/abc"});
  }
}

TEST_CASE("a group outside of the cgroup namespace is not looked for", "[agent][cgroup]") {
  CHECK(Find("0::/../other\n", kUnifiedMount, {"/sys/fs/cgroup"}) == CgroupFolders{});
  CHECK(Find("0::/\n", "29 22 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
             {"/sys/fs/cgroup"}) == CgroupFolders{});
}

TEST_CASE("version 1: controllers that share a tree, and hybrids", "[agent][cgroup]") {
  CHECK(Find("4:cpu,cpuacct:/a\n3:memory:/b\n2:pids:/\n1:name=systemd:/c\n0::/d\n",
             "1 0 0:1 / /cg/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
             "2 0 0:2 / /cg/memory rw - cgroup cgroup rw,memory\n"
             "3 0 0:3 / /cg/pids rw - cgroup cgroup rw,pids\n"
             "4 0 0:4 / /cg/unified rw - cgroup2 cgroup2 rw\n",
             {"/cg/cpu,cpuacct/a", "/cg/memory/b", "/cg/pids", "/cg/unified/d"}) ==
        CgroupFolders{.cpu = "/cg/cpu,cpuacct/a",
                      .cpuacct = "/cg/cpu,cpuacct/a",
                      .memory = "/cg/memory/b",
                      .pids = "/cg/pids",
                      .unified = "/cg/unified/d"});
}

TEST_CASE("mount points have their blanks back", "[agent][cgroup]") {
  CHECK(Find("0::/a b\n", "1 0 0:1 / /my\\040cg\\134x rw - cgroup2 cgroup2 rw\n",
             {"/my cg\\x/a b"}) == CgroupFolders{.unified = "/my cg\\x/a b"});
}

TEST_CASE("lines that are not what they should be are skipped", "[agent][cgroup]") {
  CHECK(Find("\n::\nnonsense\n0::/\n", std::string("\n- - -\n1 2 3\n") + std::string(kUnifiedMount),
             {"/sys/fs/cgroup"}) == CgroupFolders{.unified = "/sys/fs/cgroup"});
}

TEST_CASE("nothing is found where nothing exists", "[agent][cgroup]") {
  CHECK(Find("0::/a\n", kUnifiedMount, {}) == CgroupFolders{});
  CHECK(Find("", "", {}) == CgroupFolders{});
}

}  // namespace
}  // namespace dunlin::agent
