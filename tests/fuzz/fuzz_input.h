#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dunlin {

/// The bytes libFuzzer made up, taken off from the front.
class FuzzInput {
 public:
  FuzzInput(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  /// The next byte, 0 at the end.
  std::uint8_t Byte() {
    if (rest_.empty()) return 0;
    auto byte = static_cast<std::uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return byte;
  }

  /// The next `size` bytes, fewer at the end.
  std::string_view Take(std::size_t size) {
    std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(bytes.size());
    return bytes;
  }

  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// Calls `take` with `bytes` in pieces of `step`, each in memory of its own, so that a view kept
/// too long is found; stops when it answers false.
template <typename Take>
void InPieces(std::string_view bytes, std::size_t step, Take take) {
  while (!bytes.empty()) {
    std::string piece(bytes.substr(0, step));
    bytes.remove_prefix(piece.size());
    piece.shrink_to_fit();
    if (!take(std::string_view(piece))) return;
  }
}

}  // namespace dunlin
