#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace dunlin {

/// Fixed-width integers are little-endian on wire and disk; x86-64 and aarch64 Linux store them so.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

template <typename T>
void AppendFixed(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof bytes);
}

template <typename T>
T LoadFixed(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <typename T>
void StoreFixed(char* bytes, T value) {
  std::memcpy(bytes, &value, sizeof value);
}

/// LEB128, as protobuf's varint: at most ten bytes.
inline constexpr std::size_t kMaxVarintBytes = 10;

/// Writes `value` at `out`, which has kMaxVarintBytes of room, and returns the end.
inline char* StoreVarint(char* out, std::uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<char>(value);
  return out;
}

inline void AppendVarint(std::string& out, std::uint64_t value) {
  char bytes[kMaxVarintBytes];
  out.append(bytes, StoreVarint(bytes, value));
}

inline std::size_t VarintSize(std::uint64_t value) {
  std::size_t size = 1;
  while (value >= 0x80) {
    value >>= 7;
    ++size;
  }
  return size;
}

/// Signed numbers near zero as small unsigned ones (protobuf's sint64).
inline std::uint64_t ZigZag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t UnZigZag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

/// Reads front to back. Every read answers nothing when the bytes end early or are malformed, and
/// the reader then stays failed, so a caller may check once at the end. Holds a view: the bytes
/// outlive it.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool failed() const { return failed_; }
  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  std::optional<std::uint64_t> ReadVarint() {
    if (!failed_ && !rest_.empty() && static_cast<unsigned char>(rest_[0]) < 0x80) {
      const auto byte = static_cast<unsigned char>(rest_[0]);  // nearly all there are
      rest_.remove_prefix(1);
      return byte;
    }
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (failed_ || rest_.empty()) return Fail<std::uint64_t>();
      auto byte = static_cast<unsigned char>(rest_[0]);
      rest_.remove_prefix(1);
      // The tenth byte holds one bit; more would be lost.
      if (shift == 63 && byte > 1) return Fail<std::uint64_t>();
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    return Fail<std::uint64_t>();
  }

  template <typename T>
  std::optional<T> ReadFixed() {
    if (failed_ || rest_.size() < sizeof(T)) return Fail<T>();
    T value = LoadFixed<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }

  std::optional<std::string_view> ReadBytes(std::uint64_t size) {
    if (failed_ || rest_.size() < size) return Fail<std::string_view>();
    std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  /// A varint length, then that many bytes.
  std::optional<std::string_view> ReadLengthPrefixed() {
    auto size = ReadVarint();
    if (!size) return std::nullopt;
    return ReadBytes(*size);
  }

 private:
  template <typename T>
  std::optional<T> Fail() {
    failed_ = true;
    return std::nullopt;
  }

  std::string_view rest_;
  bool failed_ = false;
};

inline void AppendLengthPrefixed(std::string& out, std::string_view bytes) {
  AppendVarint(out, bytes.size());
  out.append(bytes);
}

}  // namespace dunlin
