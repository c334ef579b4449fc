#pragma once

#include <cstddef>
#include <string_view>

#include "protocol/base/result.h"

namespace dunlin {

/// Writes to a descriptor that others may share, without waiting for its reader and without
/// touching its flags: O_NONBLOCK belongs to the open file description, so setting it would make
/// the writes of every other holder fail. Does not own the descriptor. Any thread.
class NonBlockingWriter {
 public:
  /// Looks at what kind of file `fd` is, which must not change afterwards.
  explicit NonBlockingWriter(int fd);

  /// Writes as much as fits now and returns how much, 0 when nothing does. A regular file takes
  /// everything, and its disk is waited for. Errors: when it will never take any (a pipe without a
  /// reader, a full device).
  Result<std::size_t> Write(std::string_view bytes) const;

  int fd() const { return fd_; }

 private:
  enum class Kind { kPlain, kSocket, kShared };

  long WriteOnce(std::string_view bytes) const;
  long WriteShared(std::string_view bytes) const;

  int fd_;
  Kind kind_ = Kind::kShared;
};

}  // namespace dunlin
