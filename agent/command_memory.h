#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "protocol/http/message.h"

namespace dunlin::agent {

/// The commands that were carried out last, by their ids, so that one that arrives again (its
/// answer was lost, say) is answered and not carried out again. The last few are kept, because
/// clients take turns; a new start of the agent knows none. Decides only; any thread.
class CommandMemory {
 public:
  static constexpr std::size_t kKept = 8;
  static constexpr std::size_t kMaxIdBytes = 128;

  /// 1 to 128 printable characters of ASCII.
  static bool IsId(std::string_view id);

  enum class Seen {
    kNever,  // carry it out
    kSame,   // answer() again
    kOther,  // the id was for another command: somebody's mistake
  };
  /// `request` is everything that makes it this command and no other.
  Seen Look(std::string_view id, std::string_view request) const;
  /// Of a command that was seen.
  const http::Response& answer(std::string_view id) const;
  void Remember(std::string_view id, std::string_view request, http::Response answer);

 private:
  struct Command {
    std::string id;
    std::size_t request_hash;
    http::Response answer;
  };
  const Command* Find(std::string_view id) const;

  std::deque<Command> commands_;
};

}  // namespace dunlin::agent
