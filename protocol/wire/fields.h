#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "protocol/base/coding.h"

namespace dunlin::wire {

/// The part of the protobuf encoding that dunlin.proto uses: fields of varints, 8-byte values and
/// length-prefixed bytes, in the order of their numbers, defaults left out. That is what the
/// generated classes write, byte for byte.
enum class WireType : std::uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kLengthPrefixed = 2,
  kFixed32 = 5,
};

inline constexpr std::uint32_t Tag(std::uint32_t number, WireType type) {
  return number << 3 | static_cast<std::uint32_t>(type);
}

inline void PutVarint(std::string& out, std::uint32_t number, std::uint64_t value) {
  if (value == 0) return;
  AppendVarint(out, Tag(number, WireType::kVarint));
  AppendVarint(out, value);
}

inline void PutFixed64(std::string& out, std::uint32_t number, std::uint64_t value) {
  if (value == 0) return;
  AppendVarint(out, Tag(number, WireType::kFixed64));
  AppendFixed(out, value);
}

inline void PutDouble(std::string& out, std::uint32_t number, double value) {
  PutFixed64(out, number, std::bit_cast<std::uint64_t>(value));
}

inline void PutBytes(std::string& out, std::uint32_t number, std::string_view bytes) {
  if (bytes.empty()) return;
  AppendVarint(out, Tag(number, WireType::kLengthPrefixed));
  AppendLengthPrefixed(out, bytes);
}

/// A nested message is present even when it is empty.
inline void PutMessage(std::string& out, std::uint32_t number, std::string_view payload) {
  AppendVarint(out, Tag(number, WireType::kLengthPrefixed));
  AppendLengthPrefixed(out, payload);
}

/// Walks the fields of one message. Read() gives the current field's value when it has the wire
/// type of the target, and leaves the target alone otherwise, as for any field a reader does not
/// know. Holds a view: the bytes outlive it.
///
///   FieldReader fields(payload);
///   while (fields.Next()) {
///     if (fields.number() == 1) fields.Read(ack.sequence);
///   }
///   if (fields.failed()) ...
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : reader_(bytes) {}

  /// Goes to the next field; false at the end and when the bytes are malformed.
  bool Next() {
    if (reader_.empty() || reader_.failed() || failed_) return false;
    auto tag = reader_.ReadVarint();
    if (!tag || *tag > std::numeric_limits<std::uint32_t>::max() || *tag >> 3 == 0) return Fail();
    number_ = static_cast<std::uint32_t>(*tag >> 3);
    type_ = static_cast<WireType>(*tag & 7);
    switch (type_) {
      case WireType::kVarint:
        return Take(reader_.ReadVarint());
      case WireType::kFixed64:
        return Take(reader_.ReadFixed<std::uint64_t>());
      case WireType::kFixed32:
        return Take(reader_.ReadFixed<std::uint32_t>());
      case WireType::kLengthPrefixed: {
        auto bytes = reader_.ReadLengthPrefixed();
        bytes_ = bytes.value_or(std::string_view());
        return bytes.has_value() || Fail();
      }
    }
    return Fail();  // groups, which proto3 does not have
  }

  bool failed() const { return failed_ || reader_.failed(); }
  std::uint32_t number() const { return number_; }
  WireType type() const { return type_; }

  void Read(std::uint64_t& out) const {
    if (type_ == WireType::kVarint) out = value_;
  }
  void Read(std::uint32_t& out) const {
    if (type_ == WireType::kVarint) out = static_cast<std::uint32_t>(value_);
  }
  void Read(bool& out) const {
    if (type_ == WireType::kVarint) out = value_ != 0;
  }
  void Read(double& out) const {
    if (type_ == WireType::kFixed64) out = std::bit_cast<double>(value_);
  }
  void ReadFixed64(std::uint64_t& out) const {
    if (type_ == WireType::kFixed64) out = value_;
  }
  void Read(std::string_view& out) const {
    if (type_ == WireType::kLengthPrefixed) out = bytes_;
  }
  void Read(std::string& out) const {
    if (type_ == WireType::kLengthPrefixed) out = bytes_;
  }

 private:
  template <typename T>
  bool Take(const std::optional<T>& value) {
    if (!value) return Fail();
    value_ = *value;
    return true;
  }

  bool Fail() {
    failed_ = true;
    return false;
  }

  ByteReader reader_;
  std::uint32_t number_ = 0;
  WireType type_ = WireType::kVarint;
  std::uint64_t value_ = 0;
  std::string_view bytes_;
  bool failed_ = false;
};

}  // namespace dunlin::wire
