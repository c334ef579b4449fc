#pragma once

#include <cstdint>
#include <string>

#include "protocol/base/units.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/messages.h"

namespace dunlin::shipper {

/// All that a collector says is short. A peer that announces more costs no memory.
inline constexpr std::uint32_t kMaxCollectorFrameBytes = 64_KiB;

/// What an agent says first on a connection.
inline std::string Opening(const wire::Hello& hello) {
  std::string out(wire::kPreface);
  wire::AppendFrame(out, wire::FrameType::kHello, wire::Encode(hello));
  return out;
}

}  // namespace dunlin::shipper
