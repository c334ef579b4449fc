#include "agent/cgroup.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "protocol/base/random.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin::agent {
namespace {

CgroupUsage Recorded(const std::string& name) {
  return Cgroup(DUNLIN_SOURCE_DIR "/tests/agent/data/" + name).Read();
}

/// A copy of recorded files that can be changed.
class Copy {
 public:
  explicit Copy(const std::string& name) {
    std::filesystem::copy(DUNLIN_SOURCE_DIR "/tests/agent/data/" + name, folder_.path(),
                          std::filesystem::copy_options::recursive);
  }
  std::string Path(const std::string& file) const { return folder_.File(file); }
  void Write(const std::string& file, const std::string& text) const {
    std::ofstream(Path(file)) << text;
  }
  void Remove(const std::string& file) const { std::filesystem::remove_all(Path(file)); }
  CgroupUsage Read() const { return Cgroup(folder_.path()).Read(); }
  const std::string& root() const { return folder_.path(); }
  std::vector<std::filesystem::path> Files() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root())) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    return files;
  }

 private:
  testing::TempDir folder_;
};

TEST_CASE("version 2: everything its files say", "[agent][cgroup]") {
  CgroupUsage usage = Recorded("cgroup-v2");
  CHECK(usage.cpu_seconds == 12.345678);
  CHECK(usage.cpu_user_seconds == 9.0);
  CHECK(usage.cpu_system_seconds == 3.345678);
  CHECK(usage.cpu_periods == 1500U);
  CHECK(usage.cpu_throttled_periods == 30U);
  CHECK(usage.cpu_throttled_seconds == 2.25);
  CHECK(usage.memory_bytes == 157286400U);
  CHECK(usage.memory_working_set_bytes == 157286400U - 61079552U);
  CHECK(usage.memory_rss_bytes == 48234496U);
  CHECK(usage.memory_cache_bytes == 91226112U);
  CHECK(usage.memory_swap_bytes == 4096U);
  CHECK(usage.memory_peak_bytes == 201326592U);
  CHECK(usage.memory_limit_bytes == 268435456U);
  CHECK(usage.memory_limit_hits == 25U);
  CHECK(usage.oom_kills == 2U);
  CHECK(usage.processes == 4U);
  CHECK(usage.threads == 17U);
  CHECK(usage.threads_limit == 512U);
  REQUIRE(usage.devices.size() == 2);
  CHECK(usage.devices[0].name == "/dev/sda");
  CHECK(usage.devices[0].read_bytes == 1048576);
  CHECK(usage.devices[0].written_bytes == 2097152);
  CHECK(usage.devices[0].reads == 64);
  CHECK(usage.devices[0].writes == 128);
  CHECK(usage.devices[1].name == "253:3");
  CHECK(usage.cpu_pressure.waiting_seconds == 7.034277);
  CHECK(usage.cpu_pressure.stalled_seconds == 0.0);
  CHECK(usage.memory_pressure.waiting_seconds == 0.1205);
  CHECK(usage.memory_pressure.stalled_seconds == 0.06025);
  CHECK(usage.io_pressure.waiting_seconds == 3.0);
  CHECK(usage.io_pressure.stalled_seconds == 2.5);
}

TEST_CASE("version 1: everything its files say, in the same terms", "[agent][cgroup]") {
  CgroupUsage usage = Recorded("cgroup-v1");
  CHECK(usage.cpu_seconds == 98.7654321);
  CHECK(usage.cpu_user_seconds == 70.0);
  CHECK(usage.cpu_system_seconds == 25.0);
  CHECK(usage.cpu_periods == 200U);
  CHECK(usage.cpu_throttled_periods == 50U);
  CHECK(usage.cpu_throttled_seconds == 1.5);
  CHECK(usage.memory_bytes == 62914560U);
  CHECK(usage.memory_working_set_bytes == 62914560U - 25165824U);
  CHECK(usage.memory_rss_bytes == 20971520U);
  CHECK(usage.memory_cache_bytes == 33554432U);
  CHECK(usage.memory_swap_bytes == 8192U);
  CHECK(usage.memory_peak_bytes == 134217728U);
  CHECK(usage.memory_limit_bytes == 134217728U);
  CHECK(usage.memory_limit_hits == 77U);
  CHECK(usage.oom_kills == 1U);
  CHECK(usage.processes == 2U);
  CHECK(usage.threads == 5U);
  CHECK_FALSE(usage.threads_limit);  // "max"
  REQUIRE(usage.devices.size() == 1);
  CHECK(usage.devices[0].name == "8:0");
  CHECK(usage.devices[0].read_bytes == 4096);
  CHECK(usage.devices[0].written_bytes == 8192);
  CHECK(usage.devices[0].reads == 1);
  CHECK(usage.devices[0].writes == 2);
  CHECK_FALSE(usage.cpu_pressure.waiting_seconds);
}

TEST_CASE("what a group lacks is absent, not zero", "[agent][cgroup]") {
  CgroupUsage usage = Recorded("cgroup-v2-service");
  CHECK(usage.cpu_seconds == 0.5);
  CHECK_FALSE(usage.cpu_periods);
  CHECK_FALSE(usage.cpu_throttled_seconds);
  CHECK(usage.memory_bytes == 1048576U);
  CHECK(usage.memory_working_set_bytes == 0U);  // less is used than is inactive: it was read later
  CHECK_FALSE(usage.memory_limit_bytes);        // "max"
  CHECK_FALSE(usage.memory_peak_bytes);
  CHECK_FALSE(usage.memory_swap_bytes);
  CHECK(usage.oom_kills == 0U);  // here zero is what the file says
  CHECK_FALSE(usage.threads_limit);
  CHECK(usage.devices.empty());
  CHECK_FALSE(usage.cpu_pressure.waiting_seconds);  // there, but it cannot be read
  CHECK_FALSE(usage.io_pressure.stalled_seconds);
}

TEST_CASE("version 1's way to say no limit depends on the page size", "[agent][cgroup]") {
  Copy copy("cgroup-v1");
  const std::string limit = GENERATE("9223372036854771712", "9223372036854710272",
                                     "9223372036854775807", "18446744073709551615", "-1");
  copy.Write("sys/fs/cgroup/memory/memory.limit_in_bytes", limit + "\n");
  CHECK_FALSE(copy.Read().memory_limit_bytes);
}

TEST_CASE("every file may be missing", "[agent][cgroup]") {
  const std::string name = GENERATE("cgroup-v1", "cgroup-v2");
  Copy copy(name);
  for (const auto& file : copy.Files()) {
    std::filesystem::remove(file);
    copy.Read();
  }
  CgroupUsage nothing = copy.Read();
  CHECK_FALSE(nothing.cpu_seconds);
  CHECK_FALSE(nothing.memory_bytes);
  CHECK_FALSE(nothing.oom_kills);
  CHECK_FALSE(nothing.processes);
  CHECK(nothing.devices.empty());
}

TEST_CASE("without /proc and /sys there is nothing", "[agent][cgroup]") {
  testing::TempDir empty;
  Cgroup cgroup(empty.path());
  CHECK(cgroup.folders() == CgroupFolders{});
  CgroupUsage usage = cgroup.Read();
  CHECK_FALSE(usage.cpu_seconds);
  CHECK_FALSE(usage.threads);
  CHECK_FALSE(cgroup.OomKills());
}

TEST_CASE("without /proc the customary place is read", "[agent][cgroup]") {
  Copy copy("cgroup-v2");
  copy.Remove("proc");
  CHECK(copy.Read().memory_bytes == 157286400U);
  Copy old("cgroup-v1");
  old.Remove("proc");
  CHECK(old.Read().memory_bytes == 62914560U);
}

TEST_CASE("garbage in the files is nothing, and harms nobody", "[agent][cgroup]") {
  const std::string name = GENERATE("cgroup-v1", "cgroup-v2");
  Copy copy(name);
  static constexpr std::string_view kPieces[] = {
      "",          "\n", " ",   ":", "8:0", "rbytes=", "0",          "-",     "total=",
      "0::/../..", "/",  "\\0", "9", "=",   "some",    "4:memory:/", "max\n", "\xFF"};
  const auto files = copy.Files();
  for (int round = 0; round < 50; ++round) {
    for (const auto& file : files) {
      std::string text;
      for (std::uint64_t n = RandomU64() % 40; n > 0; --n) {
        text += kPieces[RandomU64() % std::size(kPieces)];
      }
      std::ofstream(file) << text;
    }
    CgroupUsage usage = copy.Read();
    CHECK(usage.devices.size() <= 32);
  }
}

TEST_CASE("a machine with many disks shows some of them", "[agent][cgroup]") {
  Copy copy("cgroup-v2");
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "7:" + std::to_string(i) + " rbytes=1 wbytes=2\n";
  copy.Write("sys/fs/cgroup/io.stat", text);
  Cgroup cgroup(copy.root());
  CHECK(cgroup.Read().devices.size() == 32);
  CHECK(cgroup.Read().devices.size() == 32);
}

TEST_CASE("a FIFO in place of a file does not hold the agent up", "[agent][cgroup]") {
  Copy copy("cgroup-v2");
  copy.Remove("sys/fs/cgroup/memory.current");
  REQUIRE(mkfifo(copy.Path("sys/fs/cgroup/memory.current").c_str(), 0600) == 0);
  CHECK_FALSE(copy.Read().memory_bytes);
}

TEST_CASE("the control group of this very process can be read, where there is one",
          "[agent][cgroup]") {
  Cgroup cgroup;
  if (cgroup.folders() == CgroupFolders{}) return;
  CgroupUsage usage = cgroup.Read();
  CgroupUsage later = cgroup.Read();
  if (usage.cpu_seconds) CHECK(*later.cpu_seconds >= *usage.cpu_seconds);
  if (usage.memory_working_set_bytes) CHECK(*usage.memory_working_set_bytes <= *usage.memory_bytes);
  if (usage.processes) CHECK(*usage.processes > 0);
}

}  // namespace
}  // namespace dunlin::agent
