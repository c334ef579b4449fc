// Commands that arrive again.
#include "agent/command_memory.h"

#include <string>

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

using Seen = CommandMemory::Seen;

TEST_CASE("a command is known by its id once it was carried out", "[agent][control]") {
  CommandMemory memory;
  CHECK(memory.Look("1", "stop") == Seen::kNever);
  memory.Remember("1", "stop", http::Response::Text(202, "done"));
  CHECK(memory.Look("1", "stop") == Seen::kSame);
  CHECK(memory.answer("1").body == "done");
  CHECK(memory.Look("2", "stop") == Seen::kNever);
  CHECK(memory.Look("1", "restart") == Seen::kOther);
}

TEST_CASE("the oldest command is forgotten for a new one", "[agent][control]") {
  CommandMemory memory;
  for (std::size_t i = 0; i < CommandMemory::kKept; ++i) {
    memory.Remember(std::to_string(i), "signal", http::Response::Text(202, std::to_string(i)));
  }
  CHECK(memory.Look("0", "signal") == Seen::kSame);
  memory.Remember("next", "signal", http::Response::Text(202, ""));
  CHECK(memory.Look("0", "signal") == Seen::kNever);
  CHECK(memory.answer("1").body == "1");
}

TEST_CASE("an id is short and printable", "[agent][control]") {
  CHECK(CommandMemory::IsId("a"));
  CHECK(CommandMemory::IsId("7f3c-{x}~!"));
  CHECK(CommandMemory::IsId(std::string(128, 'x')));
  CHECK_FALSE(CommandMemory::IsId(std::string(129, 'x')));
  CHECK_FALSE(CommandMemory::IsId(""));
  CHECK_FALSE(CommandMemory::IsId("a b"));
  CHECK_FALSE(CommandMemory::IsId("a\n"));
  CHECK_FALSE(CommandMemory::IsId("\xC3\xA9"));
}

}  // namespace
}  // namespace dunlin::agent
