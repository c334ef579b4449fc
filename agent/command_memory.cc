#include "agent/command_memory.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "protocol/base/check.h"

namespace dunlin::agent {
namespace {

std::size_t HashOf(std::string_view request) { return std::hash<std::string_view>()(request); }

}  // namespace

bool CommandMemory::IsId(std::string_view id) {
  return !id.empty() && id.size() <= kMaxIdBytes &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c <= '~'; });
}

const CommandMemory::Command* CommandMemory::Find(std::string_view id) const {
  auto found = std::find_if(commands_.begin(), commands_.end(),
                            [id](const Command& command) { return command.id == id; });
  return found == commands_.end() ? nullptr : &*found;
}

CommandMemory::Seen CommandMemory::Look(std::string_view id, std::string_view request) const {
  const Command* command = Find(id);
  if (command == nullptr) return Seen::kNever;
  return command->request_hash == HashOf(request) ? Seen::kSame : Seen::kOther;
}

const http::Response& CommandMemory::answer(std::string_view id) const {
  const Command* command = Find(id);
  Check(command != nullptr, "the answer of a command that was not seen");
  return command->answer;
}

void CommandMemory::Remember(std::string_view id, std::string_view request, http::Response answer) {
  if (commands_.size() == kKept) commands_.pop_front();
  commands_.push_back({std::string(id), HashOf(request), std::move(answer)});
}

}  // namespace dunlin::agent
