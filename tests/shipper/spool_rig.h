#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/file_system.h"
#include "shipper/shipper.h"
#include "tests/shipper/scripted_collector.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"
#include "tests/support/temp_dir.h"

namespace dunlin::shipper {

using testing::RunUntil;
using testing::ScriptedCollector;

/// One agent after another on one folder.
struct SpoolRig {
  SpoolRig() { Restart(); }

  void Restart() {
    shipper.reset();
    options.sender.emplace();
    options.sender->collectors = {collector.address()};
    options.sender->retry = {std::chrono::milliseconds(5), std::chrono::milliseconds(20)};
    options.sender->hello.agent_id.fill(++boots);
    options.sender->hello.boot_id.fill(boots);
    options.sender->hello.service = "tested";
    options.spool = SpoolPlace{fs, folder.path(), "one", spool_options, sync, timing};
    shipper = std::make_unique<Shipper>(loop, *clock, options);
  }
  /// Lines that do not compress.
  void Write(int lines) {
    std::string bytes;
    for (int i = 0; i < lines; ++i) {
      for (int b = 0; b < 100; ++b) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        bytes.push_back(static_cast<char>('!' + (state >> 33) % 90));
      }
      bytes.push_back('\n');
    }
    for (std::string_view left = bytes; !left.empty();) {
      auto room = shipper->Reserve(wire::Output::kStdout, left.size());
      const std::size_t size = std::min(room.size(), left.size());
      std::memcpy(room.data(), left.data(), size);
      shipper->Commit(wire::Output::kStdout, size);
      left.remove_prefix(size);
    }
    CheckIdentity();
  }
  void Flush() {
    bool flushed = false;
    shipper->Flush([&] { flushed = true; });
    RunUntil(loop, [&] { return flushed; });
  }
  void Save() {
    bool saved = false;
    shipper->Save(std::chrono::seconds(20), [&] { saved = true; });
    RunUntil(loop, [&] { return saved; });
  }
  void CheckIdentity() const {
    const LineAccount a = shipper->Account();
    CHECK(a.captured == a.acknowledged + a.queued + a.spooled + a.dropped);
  }
  /// Of the boots in the folder.
  std::size_t Spools() const {
    auto names = fs->List(folder.path() + "/one");
    if (!names) return 0;
    return static_cast<std::size_t>(std::count_if(
        names->begin(), names->end(), [](const std::string& name) { return name.size() == 32; }));
  }

  testing::TempDir folder;
  const Clock* clock = &SystemClock();
  net::Loop loop;
  ScriptedCollector collector{loop};
  ShipperOptions options;
  SpoolOptions spool_options;
  FileSystem* fs = &PosixFileSystem();  // for the next Restart
  SpoolSync sync = SpoolSync::kInterval;
  SpoolTiming timing;
  std::uint8_t boots = 0;
  std::uint64_t state = 88172645463325252U;
  std::unique_ptr<Shipper> shipper;
};

}  // namespace dunlin::shipper
