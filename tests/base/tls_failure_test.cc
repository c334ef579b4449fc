#include "protocol/base/tls_failure.h"

#include <set>
#include <string>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

TEST_CASE("every kind of TLS failure has a name of its own, which is read again",
          "[base][tls_failure]") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kTlsFailures; ++i) {
    const auto failure = static_cast<TlsFailure>(i);
    const std::string_view name = TlsFailureName(failure);
    CAPTURE(name);
    names.insert(name);
    CHECK(ParseTlsFailure(name) == failure);
  }
  CHECK(names.size() == kTlsFailures);
  CHECK_FALSE(names.contains("unknown"));
}

TEST_CASE("what names no kind of TLS failure is none", "[base][tls_failure]") {
  CHECK_FALSE(ParseTlsFailure(""));
  CHECK_FALSE(ParseTlsFailure("Expired"));
  CHECK_FALSE(ParseTlsFailure("unknown"));
}

}  // namespace
}  // namespace dunlin
