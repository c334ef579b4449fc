#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

namespace dunlin::wire {

/// Room for the lines of one batch, laid out so that they are compressed where they lie:
/// BatchEncoder writes what belongs before and behind them into the same memory. New room is not
/// initialised.
class LinesBuffer {
 public:
  /// The first byte of the lines; changes when room is made.
  char* data() { return bytes_ ? bytes_.get() + kFrontBytes : nullptr; }
  const char* data() const { return bytes_ ? bytes_.get() + kFrontBytes : nullptr; }
  /// Bytes from data() on that may be written.
  std::size_t size() const { return size_; }

  /// Makes size() at least `size`; the first `kept` bytes stay.
  void Reserve(std::size_t size, std::size_t kept) {
    if (size <= size_) return;
    // In steps, so that batches of about one size soon find enough; never twice what is needed.
    size = (size + kStepBytes - 1) / kStepBytes * kStepBytes;
    if (kept == 0) bytes_.reset();
    auto bytes = std::make_unique_for_overwrite<char[]>(kFrontBytes + size);
    if (kept > 0) std::memcpy(bytes.get() + kFrontBytes, data(), kept);
    bytes_ = std::move(bytes);
    size_ = size;
  }

  /// Gives the memory back, and what is in it.
  void Release() {
    bytes_.reset();
    size_ = 0;
  }

 private:
  friend class BatchEncoder;
  static constexpr std::size_t kFrontBytes = 16;  // a tag and a length fit
  static constexpr std::size_t kStepBytes = 16 * 1024;

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
};

}  // namespace dunlin::wire
