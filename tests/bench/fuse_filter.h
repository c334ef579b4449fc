#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace dunlin::store {

/// Tells of most keys that are not in a set that they are not: a binary fuse filter with
/// fingerprints of 8 bits (Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor
/// Filters", 2022). About 9 bits a key in large sets, 12 in sets of 1,000; of the keys that are not
/// in the set, 1 in 256 is not told.
/// What filters of grams (collector/store/gram_filter.h) are compared with.
class FuseFilter {
 public:
  /// The bytes of a filter of `keys`, in any order, also several times; they are sorted on the way.
  /// Equal sets give equal bytes. Empty when no filter was found, which no set of real keys does:
  /// the set then goes without one.
  static std::string Encode(std::vector<std::uint64_t>& keys);

  /// Reads what Encode wrote; the bytes outlive the filter. Other bytes give an error or a filter
  /// of other keys, and no access beyond them. Errors: kCorruption.
  static Result<FuseFilter> Open(std::string_view bytes);

  /// False only when the key is not in the set. Any thread.
  bool MayContain(std::uint64_t key) const;

 private:
  FuseFilter() = default;

  std::uint64_t seed_ = 0;
  std::uint32_t segment_bytes_ = 0;  // a power of two
  std::uint32_t starts_ = 0;         // slots at which the three of a key may begin; 0: no keys
  std::string_view fingerprints_;
};

}  // namespace dunlin::store
