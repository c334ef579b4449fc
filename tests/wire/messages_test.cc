#include "protocol/wire/messages.h"

#include <limits>

#include "protocol/wire/dunlin.pb.h"
#include "tests/support/catch.h"
#include "tests/wire/random_values.h"

// Each message is written by our encoder and read by the generated class, and the other way round;
// where both write the same fields, they have to write the same bytes.
namespace dunlin::wire {
namespace {

template <typename Field>
void SetLabels(const LabelSet& labels, Field* field) {
  for (const auto& [name, value] : labels) {
    auto* label = field->Add();
    label->set_name(name);
    label->set_value(value);
  }
}

v1::Hello ToGenerated(const Hello& m) {
  v1::Hello g;
  g.set_protocol_version(m.protocol_version);
  g.set_min_protocol_version(m.min_protocol_version);
  g.set_agent_version(m.agent_version);
  g.set_agent_id(BytesOf(m.agent_id));
  g.set_boot_id(BytesOf(m.boot_id));
  g.set_project(m.project);
  g.set_service(m.service);
  g.set_deployment(m.deployment);
  g.set_container(m.container);
  g.set_host(m.host);
  SetLabels(m.labels, g.mutable_labels());
  g.set_first_sequence(m.first_sequence);
  g.set_token(m.token);
  g.set_metrics_address(m.metrics_address);
  return g;
}

v1::Welcome ToGenerated(const Welcome& m) {
  v1::Welcome g;
  g.set_protocol_version(m.protocol_version);
  g.set_collector_version(m.collector_version);
  g.set_collector_id(BytesOf(m.collector_id));
  g.set_next_sequence(m.next_sequence);
  g.set_max_frame_bytes(m.max_frame_bytes);
  g.set_max_unacknowledged_batches(m.max_unacknowledged_batches);
  return g;
}

v1::Ack ToGenerated(const Ack& m) {
  v1::Ack g;
  g.set_sequence(m.sequence);
  return g;
}

v1::Reject ToGenerated(const Reject& m) {
  v1::Reject g;
  g.set_sequence(m.sequence);
  g.set_reason(m.reason);
  return g;
}

v1::SlowDown ToGenerated(const SlowDown& m) {
  v1::SlowDown g;
  g.set_delay_ms(m.delay_ms);
  g.set_reason(m.reason);
  return g;
}

v1::Goodbye ToGenerated(const Goodbye& m) {
  v1::Goodbye g;
  g.set_reason(m.reason);
  g.set_retry(m.retry);
  return g;
}

v1::Ping ToGenerated(const Ping& m) {
  v1::Ping g;
  g.set_nonce(m.nonce);
  return g;
}

v1::Pong ToGenerated(const Pong& m) {
  v1::Pong g;
  g.set_nonce(m.nonce);
  return g;
}

v1::Metrics ToGenerated(const Metrics& m) {
  v1::Metrics g;
  g.set_time_ns(m.time_ns);
  for (const MetricFamily& family : m.families) {
    auto* f = g.add_families();
    f->set_name(family.name);
    f->set_help(family.help);
    f->set_type(family.type);
    for (const MetricSample& sample : family.samples) {
      auto* s = f->add_samples();
      SetLabels(sample.labels, s->mutable_labels());
      s->set_value(sample.value);
      s->set_suffix(sample.suffix);
    }
  }
  return g;
}

Hello RandomHello(RandomValues& random) {
  Hello m;
  m.protocol_version = random.Number32();
  m.min_protocol_version = random.Number32();
  m.agent_version = random.Text();
  m.agent_id = random.Id();
  m.boot_id = random.Id();
  m.project = random.Text();
  m.service = random.Text();
  m.deployment = random.Text();
  m.container = random.Text();
  m.host = random.Text();
  m.labels = random.Labels();
  m.first_sequence = random.Number64();
  m.token = random.Text();
  m.metrics_address = random.Text();
  return m;
}

Welcome RandomWelcome(RandomValues& random) {
  return {random.Number32(), random.Text(),     random.Id(),
          random.Number64(), random.Number32(), random.Number32()};
}

Metrics RandomMetrics(RandomValues& random) {
  static constexpr const char* kTypes[] = {"counter", "gauge", "histogram", "summary", "untyped"};
  static constexpr const char* kSuffixes[] = {"", "_bucket", "_sum", "_count"};
  static constexpr double kValues[] = {0,      -0.0,   1.5,
                                       -3e300, 5e-324, std::numeric_limits<double>::infinity()};
  Metrics m;
  m.time_ns = random.Number64();
  for (auto i = random.Below(4); i > 0; --i) {
    MetricFamily family{random.Name() + ":x", random.Text(), kTypes[random.Below(5)], {}};
    for (auto j = random.Below(4); j > 0; --j) {
      family.samples.push_back(
          {random.Labels(), kValues[random.Below(6)], kSuffixes[random.Below(4)]});
    }
    m.families.push_back(std::move(family));
  }
  return m;
}

/// Our bytes are the generated class's bytes, and decode to what was encoded; cut anywhere they
/// either decode to something or fail; with a field of tomorrow they decode to the same.
template <typename Message, typename Decode>
void CheckBothWays(const Message& message, Decode decode) {
  auto generated = ToGenerated(message);
  std::string bytes = Encode(message);
  CHECK(bytes == generated.SerializeAsString());

  auto parsed = generated.New();
  CHECK(parsed->ParseFromString(bytes));
  CHECK(parsed->SerializeAsString() == bytes);
  delete parsed;

  auto decoded = decode(bytes);
  REQUIRE(decoded);
  CHECK(*decoded == message);

  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // A copy without slack, so that a read past its end is seen.
    std::string cut(bytes, 0, size);
    cut.shrink_to_fit();
    auto part = decode(cut);
    if (!part) {
      CHECK(part.error().code() == ErrorCode::kCorruption);
    }
  }

  // Fields 2000 to 2003: a varint, 8 bytes, a string, 4 bytes.
  std::string tomorrow(
      "\x80\x7d\x05\x89\x7d"
      "12345678\x92\x7d\x02hi\x9d\x7d"
      "1234",
      24);
  for (const std::string& with : {bytes + tomorrow, tomorrow + bytes}) {
    auto skipped = decode(with);
    REQUIRE(skipped);
    CHECK(*skipped == message);
  }
}

TEST_CASE("messages are what the schema says, both ways", "[wire][messages]") {
  RandomValues random(GENERATE(range(0, 100)));
  CheckBothWays(RandomHello(random), DecodeHello);
  CheckBothWays(RandomWelcome(random), DecodeWelcome);
  CheckBothWays(Ack{random.Number64()}, DecodeAck);
  CheckBothWays(Reject{random.Number64(), random.Text()}, DecodeReject);
  CheckBothWays(SlowDown{random.Number32(), random.Text()}, DecodeSlowDown);
  CheckBothWays(Goodbye{random.Text(), random.Flip()}, DecodeGoodbye);
  CheckBothWays(Ping{random.Number64()}, DecodePing);
  CheckBothWays(Pong{random.Number64()}, DecodePong);
  CheckBothWays(RandomMetrics(random), DecodeMetrics);
}

TEST_CASE("absent fields are zero, whatever our defaults", "[wire][messages]") {
  CHECK(DecodeWelcome("")->next_sequence == 0);
  CHECK(DecodeWelcome("")->protocol_version == 0);
  CHECK_FALSE(DecodeGoodbye("")->retry);
}

TEST_CASE("a hello without whole ids is refused", "[wire][messages]") {
  v1::Hello hello = ToGenerated(Hello{});
  REQUIRE(DecodeHello(hello.SerializeAsString()));
  SECTION("no agent id") { hello.clear_agent_id(); }
  SECTION("no boot id") { hello.clear_boot_id(); }
  SECTION("short agent id") { hello.set_agent_id("123456789012345"); }
  SECTION("long boot id") { hello.set_boot_id("12345678901234567"); }
  auto decoded = DecodeHello(hello.SerializeAsString());
  REQUIRE_FALSE(decoded);
  CHECK(decoded.error().code() == ErrorCode::kCorruption);
}

TEST_CASE("a label name is one Prometheus takes", "[wire][messages]") {
  auto [name, valid] = GENERATE(table<std::string, bool>(
      {{"app", true}, {"_x9", true}, {"", false}, {"9x", false}, {"a-b", false}, {"a\nb", false}}));
  v1::Hello hello = ToGenerated(Hello{});
  auto* label = hello.add_labels();
  label->set_name(name);
  label->set_value("v");
  CAPTURE(name);
  CHECK(DecodeHello(hello.SerializeAsString()).has_value() == valid);
}

TEST_CASE("metrics that the text format cannot carry are refused", "[wire][messages]") {
  v1::Metrics metrics;
  auto* family = metrics.add_families();
  family->set_name("dunlin_agent_lines_total");
  family->set_type("counter");
  auto* sample = family->add_samples();
  sample->set_value(1);
  REQUIRE(DecodeMetrics(metrics.SerializeAsString()));
  SECTION("name with a line end") { family->set_name("a\nb"); }
  SECTION("no name") { family->set_name(""); }
  SECTION("unknown type") { family->set_type("counter\n"); }
  SECTION("unknown suffix") { sample->set_suffix(" 1\n"); }
  SECTION("label name with a quote") {
    auto* label = sample->add_labels();
    label->set_name("a\"b");
    label->set_value("v");
  }
  CHECK_FALSE(DecodeMetrics(metrics.SerializeAsString()));
}

}  // namespace
}  // namespace dunlin::wire
