#pragma once

#include <cstdint>

namespace dunlin::shipper {

/// When what is on disk is made to survive a power failure; kill -9 it survives without.
enum class SpoolSync : std::uint8_t {
  kNever,     // the kernel writes it out when it likes, usually within 30 s
  kInterval,  // a second after it was written
  kBatch,     // with every write
};

}  // namespace dunlin::shipper
