#include "tests/bench/fuse_filter.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "protocol/base/coding.h"

namespace dunlin::store {
namespace {

/// The array is cut into segments of 2^n slots; a key has a slot in each of three neighbours.
constexpr std::uint32_t kSlotsOfKey = 3;
constexpr std::uint32_t kMostSegmentBits = 18;
/// Each attempt succeeds with a probability near one.
constexpr int kMostAttempts = 64;

/// The finaliser of MurmurHash3: a bijection, so that different keys stay different.
std::uint64_t Mix(std::uint64_t key) {
  key ^= key >> 33;
  key *= 0xFF51AFD7ED558CCD;
  key ^= key >> 33;
  key *= 0xC4CEB9FE1A85EC53;
  key ^= key >> 33;
  return key;
}

/// The fraction of `range` that `hash` is of 2^64.
std::uint32_t Scale(std::uint64_t hash, std::uint32_t range) {
  return static_cast<std::uint32_t>(((hash >> 32) * range) >> 32);
}

std::array<std::uint32_t, kSlotsOfKey> SlotsOf(std::uint64_t hash, std::uint32_t starts,
                                               std::uint32_t segment_bytes) {
  const std::uint32_t mask = segment_bytes - 1;
  const std::uint32_t first = Scale(hash, starts);
  return {first, (first + segment_bytes) ^ (static_cast<std::uint32_t>(hash >> 18) & mask),
          (first + 2 * segment_bytes) ^ (static_cast<std::uint32_t>(hash) & mask)};
}

std::uint8_t FingerprintOf(std::uint64_t hash) {
  return static_cast<std::uint8_t>(hash ^ (hash >> 32));
}

struct Shape {
  std::uint32_t segment_bits = 0;
  std::uint32_t segments = 0;  // in which the first slot of a key may be

  std::uint32_t segment_bytes() const { return std::uint32_t{1} << segment_bits; }
  std::uint32_t starts() const { return segments << segment_bits; }
  std::uint32_t bytes() const { return (segments + kSlotsOfKey - 1) << segment_bits; }
};

/// The paper's sizes, for which construction nearly always succeeds (section 4).
Shape ShapeFor(std::size_t keys) {
  const double n = static_cast<double>(std::max<std::size_t>(keys, 2));
  Shape shape;
  shape.segment_bits =
      std::min(kMostSegmentBits, static_cast<std::uint32_t>(std::log(n) / std::log(3.33) + 2.25));
  const double slots = n * std::max(1.125, 0.875 + 0.25 * std::log(1e6) / std::log(n));
  const auto all = static_cast<std::uint32_t>(slots / shape.segment_bytes() + 1);
  shape.segments = all < kSlotsOfKey ? 1 : all - (kSlotsOfKey - 1);
  return shape;
}

/// Finds fingerprints of which the three of each key, taken together by exclusive or, are its own:
/// again and again, a slot that only one key has left gives the key its place and frees its others.
class Builder {
 public:
  Builder(const std::vector<std::uint64_t>& keys, Shape shape)
      : keys_(keys), shape_(shape), uses_(shape.bytes()) {
    order_.reserve(keys.size());
    open_.reserve(shape.bytes());
  }

  bool Build(std::uint64_t seed, char* fingerprints) {
    std::fill(uses_.begin(), uses_.end(), Use{});
    order_.clear();
    open_.clear();
    for (std::uint64_t key : keys_) Toggle(Mix(key + seed), 1);
    for (std::uint32_t slot = 0; slot < uses_.size(); ++slot) {
      if (uses_[slot].count == 1) open_.push_back(slot);
    }
    while (!open_.empty()) {
      const std::uint32_t slot = open_.back();
      open_.pop_back();
      if (uses_[slot].count != 1) continue;
      const std::uint64_t hash = uses_[slot].hashes;
      order_.push_back({hash, slot});
      for (std::uint32_t other : Toggle(hash, UINT32_MAX)) {
        if (uses_[other].count == 1) open_.push_back(other);
      }
    }
    if (order_.size() != keys_.size()) return false;
    for (std::size_t i = order_.size(); i-- > 0;) {
      const auto [hash, own] = order_[i];
      unsigned fingerprint = FingerprintOf(hash);
      for (std::uint32_t slot : SlotsOf(hash)) {
        if (slot != own) fingerprint ^= static_cast<unsigned char>(fingerprints[slot]);
      }
      fingerprints[own] = static_cast<char>(fingerprint);
    }
    return true;
  }

 private:
  struct Use {
    std::uint64_t hashes = 0;  // of the keys that have the slot, by exclusive or
    std::uint32_t count = 0;
  };
  struct Place {
    std::uint64_t hash;
    std::uint32_t slot;
  };

  std::array<std::uint32_t, kSlotsOfKey> SlotsOf(std::uint64_t hash) const {
    return store::SlotsOf(hash, shape_.starts(), shape_.segment_bytes());
  }

  std::array<std::uint32_t, kSlotsOfKey> Toggle(std::uint64_t hash, std::uint32_t add) {
    const auto slots = SlotsOf(hash);
    for (std::uint32_t slot : slots) {
      uses_[slot].hashes ^= hash;
      uses_[slot].count += add;
    }
    return slots;
  }

  const std::vector<std::uint64_t>& keys_;
  Shape shape_;
  std::vector<Use> uses_;
  std::vector<Place> order_;         // in which keys got their slots
  std::vector<std::uint32_t> open_;  // slots that may have one key left
};

}  // namespace

std::string FuseFilter::Encode(std::vector<std::uint64_t>& keys) {
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  Shape shape;
  if (!keys.empty()) shape = ShapeFor(keys.size());
  std::string bytes;
  if (shape.segments == 0) {
    AppendFixed(bytes, std::uint64_t{0});
    bytes.append(2, '\0');
    return bytes;
  }
  Builder builder(keys, shape);
  std::string fingerprints(shape.bytes(), '\0');
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    const std::uint64_t seed = Mix(static_cast<std::uint64_t>(attempt) + 1);
    if (!builder.Build(seed, fingerprints.data())) continue;
    AppendFixed(bytes, seed);
    AppendFixed(bytes, static_cast<std::uint8_t>(shape.segment_bits));
    AppendVarint(bytes, shape.segments);
    bytes.append(fingerprints);
    return bytes;
  }
  return bytes;
}

Result<FuseFilter> FuseFilter::Open(std::string_view bytes) {
  ByteReader reader(bytes);
  const auto seed = reader.ReadFixed<std::uint64_t>();
  const auto bits = reader.ReadFixed<std::uint8_t>();
  const auto segments = reader.ReadVarint();
  if (reader.failed() || *bits > kMostSegmentBits) {
    return Error(ErrorCode::kCorruption, "damaged filter");
  }
  FuseFilter filter;
  filter.seed_ = *seed;
  filter.fingerprints_ = reader.rest();
  if (*segments == 0) {
    if (!reader.empty()) return Error(ErrorCode::kCorruption, "damaged filter: bytes behind");
    return filter;
  }
  // A slot is less than starts + 2 segments: exclusive or with less than a segment stays in its
  // own.
  if (*segments > UINT32_MAX >> (*bits + 1) ||
      filter.fingerprints_.size() != (*segments + kSlotsOfKey - 1) << *bits) {
    return Error(ErrorCode::kCorruption, "damaged filter: size");
  }
  filter.segment_bytes_ = std::uint32_t{1} << *bits;
  filter.starts_ = static_cast<std::uint32_t>(*segments) << *bits;
  return filter;
}

bool FuseFilter::MayContain(std::uint64_t key) const {
  if (starts_ == 0) return false;
  const std::uint64_t hash = Mix(key + seed_);
  unsigned fingerprint = FingerprintOf(hash);
  for (std::uint32_t slot : SlotsOf(hash, starts_, segment_bytes_)) {
    fingerprint ^= static_cast<unsigned char>(fingerprints_[slot]);
  }
  return fingerprint == 0;
}

}  // namespace dunlin::store
