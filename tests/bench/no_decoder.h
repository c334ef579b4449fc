#pragma once

#include <cstdint>
#include <string_view>

#include "collector/store/store.h"

namespace dunlin::store {

/// Of a benchmark that never replays its log.
class NoDecoder final : public PayloadDecoder {
 public:
  Result<RowBatch> Decode(std::uint32_t, std::string_view, std::string_view) const override {
    return Error(ErrorCode::kUnsupported, "benchmark payloads are not replayed");
  }
};

}  // namespace dunlin::store
