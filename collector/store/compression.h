#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace dunlin::store {

/// Compresses one column or section after another with one zstd context. One thread.
class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  /// Appends one zstd frame.
  void Append(std::string& out, std::string_view bytes, int level);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Replaces `out` by the contents of one zstd frame that unfolds to exactly `raw_bytes`. Any
/// thread. Errors: kCorruption.
Result<void> Decompress(std::string_view frame, std::uint64_t raw_bytes, std::string& out);

}  // namespace dunlin::store
