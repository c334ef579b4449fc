#include "protocol/base/random.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "protocol/base/check.h"
#include "protocol/base/text.h"

namespace dunlin {

void FillRandom(void* bytes, std::size_t size) {
  auto* out = static_cast<char*>(bytes);
  int device = -1;
  while (size > 0) {
    ssize_t got = device < 0 ? getrandom(out, size, 0) : read(device, out, size);
    if (got > 0) {
      out += got;
      size -= static_cast<std::size_t>(got);
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    Check(device < 0, "no source of random bytes");
    device = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    Check(device >= 0, "no source of random bytes");
  }
  if (device >= 0) close(device);
}

RandomId NewRandomId() {
  RandomId id;
  FillRandom(id.data(), id.size());
  return id;
}

std::uint64_t RandomU64() {
  std::uint64_t value = 0;
  FillRandom(&value, sizeof value);
  return value;
}

std::string ToHex(const RandomId& id) {
  std::string hex;
  AppendHex(hex, std::string_view(reinterpret_cast<const char*>(id.data()), id.size()));
  return hex;
}

}  // namespace dunlin
