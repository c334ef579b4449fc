#include "collector/ingest/agent_identity.h"

#include <functional>
#include <string>

#include "tests/ingest/agent_frames.h"
#include "tests/support/catch.h"

namespace dunlin::ingest {
namespace {

TEST_CASE("an agent's words become the labels of two streams", "[ingest][identity]") {
  wire::Hello hello = HelloOf("web");
  hello.labels = LabelSet{{"role", "front"}};
  auto identity = IdentityOf(hello);
  REQUIRE(identity);
  OutputStreams streams = StreamsOf(*identity);
  CHECK(streams.standard_output.ToString() ==
        R"({container="web-1", deployment="v1", host="node", output="stdout", project="shop", )"
        R"(role="front", service="web"})");
  CHECK(streams.standard_error.Get("output") == "stderr");
}

TEST_CASE("an identity over a limit is refused with the flag to change", "[ingest][identity]") {
  using Change = std::function<void(wire::Hello&)>;
  auto [change, want] = GENERATE(table<Change, std::string>({
      {[](wire::Hello& h) { h.project.clear(); }, "--project is empty"},
      {[](wire::Hello& h) { h.service.clear(); }, "--service is empty"},
      {[](wire::Hello& h) { h.container.assign(129, 'x'); },
       "--container is longer than 128 bytes"},
      {[](wire::Hello& h) { h.labels.Set("a-b", "x"); }, "--label a-b is not a label name"},
      {[](wire::Hello& h) { h.labels.Set("host", "x"); }, "--label host is reserved"},
      {[](wire::Hello& h) { h.labels.Set("a", std::string(1025, 'x')); },
       "--label a is longer than 1024 bytes"},
      {[](wire::Hello& h) {
         for (int i = 0; i <= 30; ++i) h.labels.Set("l" + std::to_string(i), "x");
       },
       "more than 30 --label"},
  }));
  wire::Hello hello = HelloOf("web");
  change(hello);
  auto identity = IdentityOf(hello);
  REQUIRE_FALSE(identity);
  CHECK_THAT(identity.error().message(), Catch::Matchers::Contains(want));
}

TEST_CASE("the context of a batch is read back", "[ingest][identity]") {
  auto identity = IdentityOf(HelloOf("web"));
  REQUIRE(identity);
  OutputStreams streams = StreamsOf(*identity);
  std::string context = EncodeContext(streams);
  auto read = DecodeContext(context);
  REQUIRE(read);
  CHECK(*read == streams);
  for (std::size_t size = 0; size < context.size(); ++size) {
    CHECK_FALSE(DecodeContext(context.substr(0, size)));
  }
}

}  // namespace
}  // namespace dunlin::ingest
