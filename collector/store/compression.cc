#include "collector/store/compression.h"

#include <zstd.h>

#include "protocol/base/check.h"
#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

/// Covers a whole block, so that any line may refer to any earlier one in it.
constexpr int kWindowLog = 23;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

}  // namespace

struct Compressor::Impl {
  std::unique_ptr<ZSTD_CCtx, FreeContext> context{ZSTD_createCCtx()};
};

Compressor::Compressor() : impl_(std::make_unique<Impl>()) {
  Check(impl_->context != nullptr, "memory for a zstd context");
}
Compressor::~Compressor() = default;

void Compressor::Append(std::string& out, std::string_view bytes, int level) {
  ZSTD_CCtx* context = impl_->context.get();
  ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
  if (bytes.size() > (1U << 20)) ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, kWindowLog);
  std::size_t start = out.size();
  out.resize(start + ZSTD_compressBound(bytes.size()));
  std::size_t size =
      ZSTD_compress2(context, out.data() + start, out.size() - start, bytes.data(), bytes.size());
  // With room for the worst case the only failure left is a context without memory.
  Check(!ZSTD_isError(size), "zstd compresses into a buffer of the bound");
  out.resize(start + size);
}

Result<void> Decompress(std::string_view frame, std::uint64_t raw_bytes, std::string& out) {
  thread_local std::unique_ptr<ZSTD_DCtx, FreeContext> context{ZSTD_createDCtx()};
  out.resize(raw_bytes);
  std::size_t size =
      ZSTD_decompressDCtx(context.get(), out.data(), out.size(), frame.data(), frame.size());
  if (ZSTD_isError(size)) {
    return Error(ErrorCode::kCorruption, Join("cannot decompress: ", ZSTD_getErrorName(size)));
  }
  if (size != raw_bytes) {
    return Error(ErrorCode::kCorruption,
                 Join("a frame unfolds to ", size, " bytes instead of ", raw_bytes));
  }
  return {};
}

}  // namespace dunlin::store
