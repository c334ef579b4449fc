#include "protocol/base/text.h"
#include "protocol/net/handle.h"

namespace dunlin::net {

Error UvError(int status, std::string_view what) {
  ErrorCode code =
      status == UV_EADDRNOTAVAIL ? ErrorCode::kInvalidArgument : ErrnoError(-status, {}).code();
  return Error(code, Join(what, ": ", uv_strerror(status)));
}

}  // namespace dunlin::net
