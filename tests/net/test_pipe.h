#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "protocol/net/descriptor.h"
#include "tests/support/catch.h"

namespace dunlin::net {

/// A pipe of the test's own.
struct TestPipe {
  TestPipe() {
    int fds[2];
    REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
    read = Descriptor(fds[0]);
    write = Descriptor(fds[1]);
  }
  void Write(const std::string& bytes) const {
    REQUIRE(::write(write.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  ssize_t ReadSome() const {
    char buffer[64];
    return ::read(read.get(), buffer, sizeof buffer);
  }
  Descriptor read;
  Descriptor write;
};

}  // namespace dunlin::net
