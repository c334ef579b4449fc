#include "collector/ingest/agent_session.h"

#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "protocol/base/text.h"
#include "protocol/wire/batch.h"
#include "tests/ingest/agent_frames.h"
#include "tests/support/catch.h"

namespace dunlin::ingest {
namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string>;

std::string Word(const action::Send& send) {
  std::string all;
  for (const std::string& frame : Describe(send.bytes)) all += frame;
  return all;
}
std::string Word(const action::Admit& admit) { return "admit " + admit.identity.ToString(); }
std::string Word(const action::StoreBatch& store) {
  return Join("store ", store.batch.sequence, store.batch.malformed.empty() ? "" : " malformed");
}
std::string Word(const action::KeepMetrics& keep) {
  return Join("metrics of ", keep.metrics.families.size(), " families");
}
std::string Word(const action::Refuse& refuse) {
  return Join("refuse ", collector::RefuseReasonName(refuse.reason));
}
std::string Word(const action::Close&) { return "close"; }

Words WordsOf(const Actions& actions) {
  Words words;
  for (const Action& action : actions) {
    words.push_back(std::visit([](const auto& a) { return Word(a); }, action));
  }
  return words;
}

/// A session with a clock, whose actions read as words.
class Conversation {
 public:
  explicit Conversation(SessionOptions options = {}) : session_(std::move(options), now_) {}

  Words Send(std::string_view bytes) { return WordsOf(session_.OnBytes(bytes, now_)); }
  Words Admit(std::uint64_t next) { return WordsOf(session_.OnAdmitted(next)); }
  Words Result(std::vector<BatchResult> results) { return WordsOf(session_.OnResults(results)); }
  Words Wait(std::chrono::seconds time) {
    now_ += time;
    return WordsOf(session_.OnTick(now_));
  }
  Words Press(std::chrono::milliseconds pause) {
    return WordsOf(session_.OnBackPressure(pause, "busy", now_));
  }
  void Unread() { session_.OnUnread(now_); }
  AgentSession& session() { return session_; }

  /// Past the welcome, with `next` as the first batch to come.
  void Open(std::uint64_t next = 1) {
    REQUIRE(Send(PrefaceAndHello(HelloOf("web"))) == Words{"admit shop/web/v1/web-1"});
    REQUIRE(Admit(next) == Words{Join("welcome next=", next)});
  }

 private:
  SteadyTime now_{};
  AgentSession session_;
};

BatchResult Durable(std::uint64_t sequence) {
  return {sequence, BatchResult::Fate::kDurable, "", false};
}
BatchResult Rejected(std::uint64_t sequence) {
  return {sequence, BatchResult::Fate::kRejected, "unreadable", false};
}
BatchResult Refused(std::uint64_t sequence, bool slow_down) {
  return {sequence, BatchResult::Fate::kRefused, "disk full", slow_down};
}

TEST_CASE("an agent may only be what its certificate speaks for", "[ingest][session]") {
  PeerIdentity certificate{"web's", {"agent"}, {}, {"dunlin:shop/web"}};
  Conversation agent;
  SECTION("it speaks for it") {
    agent.session().OnCertificate(certificate);
    CHECK(agent.Send(PrefaceAndHello(HelloOf("web"))) == Words{"admit shop/web/v1/web-1"});
  }
  SECTION("it speaks for another") {
    agent.session().OnCertificate(certificate);
    CHECK(agent.Send(PrefaceAndHello(HelloOf("db")) + BatchFrame(1, {"a"})) ==
          Words{"refuse certificate",
                "goodbye: the agent's certificate (web's) does not speak for shop/db/db-1 (final)",
                "close"});
    CHECK(agent.session().closed());
  }
  SECTION("it speaks for nobody") {
    certificate.uris.clear();
    agent.session().OnCertificate(certificate);
    CHECK(agent.Send(PrefaceAndHello(HelloOf("web"))).front() == "refuse certificate");
  }
}

TEST_CASE("batches are stored in sequence and acknowledged when durable", "[ingest][session]") {
  Conversation agent;
  agent.Open();
  CHECK(agent.Send(BatchFrame(1, {"a"}) + BatchFrame(2, {"b"})) == Words{"store 1", "store 2"});
  CHECK(agent.Send(BatchFrame(3, {"c"})) == Words{"store 3"});
  CHECK(agent.Result({Durable(1)}) == Words{"ack 1"});
  CHECK(agent.Result({Durable(2), Durable(3)}) == Words{"ack 3"});
}

TEST_CASE("an ack never covers a batch that is not durable", "[ingest][session]") {
  Conversation agent;
  agent.Open();
  agent.Send(BatchFrame(1, {"a"}) + BatchFrame(2, {"b"}) + BatchFrame(3, {"c"}));
  CHECK(agent.Result({Durable(3)}).empty());
  CHECK(agent.Result({Durable(1)}) == Words{"ack 1"});
  CHECK(agent.Result({Durable(2)}) == Words{"ack 3"});
}

TEST_CASE("an agent is asked to pause, and asked again before the pause is over",
          "[ingest][session]") {
  Conversation agent;
  CHECK(agent.Press(1000ms).empty());  // nobody is there yet
  agent.Open();
  CHECK(agent.Press(1000ms) == Words{"slow down: busy"});
  CHECK(agent.Press(1000ms).empty());
  CHECK(agent.Wait(1s).empty());
  CHECK(agent.Press(1000ms) == Words{"slow down: busy"});
  // It is a request: what comes all the same is taken.
  CHECK(agent.Send(BatchFrame(1, {"a"})) == Words{"store 1"});
  CHECK(agent.Result({Durable(1)}) == Words{"ack 1"});
}

TEST_CASE("an agent that is not read is not taken for gone", "[ingest][session]") {
  Conversation agent;
  agent.Open();
  for (int i = 0; i < 100; ++i) {
    agent.Unread();
    CHECK(agent.Wait(2s).empty());
  }
  CHECK(agent.Wait(30s).size() == 1);  // read again, its silence counts
}

TEST_CASE("bytes may arrive one by one", "[ingest][session]") {
  Conversation agent;
  Words words;
  for (char c : PrefaceAndHello(HelloOf("web"))) {
    for (std::string& word : agent.Send(std::string_view(&c, 1))) words.push_back(word);
  }
  CHECK(words == Words{"admit shop/web/v1/web-1"});
}

TEST_CASE("a returning agent resumes at what is not durable", "[ingest][session]") {
  Conversation agent;
  agent.Open(/*next=*/7);
  CHECK(agent.Send(BatchFrame(7, {"a"})) == Words{"store 7"});
  CHECK(agent.Result({Durable(7)}) == Words{"ack 7"});
}

TEST_CASE("batches the agent no longer holds are not waited for", "[ingest][session]") {
  Conversation agent;
  wire::Hello hello = HelloOf("web");
  hello.first_sequence = 500;
  agent.Send(PrefaceAndHello(hello));
  CHECK(agent.Admit(1) == Words{"welcome next=1"});
  CHECK(agent.Send(BatchFrame(500, {"a"})) == Words{"store 500"});
  CHECK(agent.Result({Durable(500)}) == Words{"ack 500"});
}

TEST_CASE("a batch sent again is not stored again", "[ingest][session]") {
  Conversation agent;
  agent.Open(/*next=*/5);
  SECTION("durable before: the ack is repeated") {
    CHECK(agent.Send(BatchFrame(4, {"a"})) == Words{"ack 4"});
  }
  SECTION("still on its way: the ack will come") {
    agent.Send(BatchFrame(5, {"a"}));
    CHECK(agent.Send(BatchFrame(5, {"a"})).empty());
    CHECK(agent.Result({Durable(5)}) == Words{"ack 5"});
  }
}

TEST_CASE("a sequence that skips ahead ends the connection", "[ingest][session]") {
  Conversation agent;
  agent.Open();
  CHECK(agent.Send(BatchFrame(2, {"a"})) ==
        Words{"goodbye: batch 2 came where 1 was expected (retry)", "close"});
  CHECK(agent.Send(BatchFrame(1, {"a"})).empty());
}

TEST_CASE("a batch that can never be read is rejected in its place", "[ingest][session]") {
  Conversation agent;
  agent.Open();
  CHECK(agent.Send(BatchFrame(1, {"a"}) + MalformedBatchFrame() + BatchFrame(3, {"c"})) ==
        Words{"store 1", "store 2 malformed", "store 3"});
  SECTION("the agent hears of it before an ack covers it") {
    CHECK(agent.Result({Durable(1), Rejected(2), Durable(3)}) ==
          Words{"ack 1", "reject 2: unreadable", "ack 3"});
  }
  SECTION("and once, as last of all") {
    CHECK(agent.Result({Rejected(2)}).empty());
    CHECK(agent.Result({Durable(1)}) == Words{"ack 1", "reject 2: unreadable"});
    CHECK(agent.Result({Durable(3)}) == Words{"ack 3"});
  }
}

TEST_CASE("what cannot be stored now ends the connection after acks", "[ingest][session]") {
  Conversation agent;
  agent.Open();
  agent.Send(BatchFrame(1, {"a"}) + BatchFrame(2, {"b"}) + BatchFrame(3, {"c"}));
  CHECK(agent.Result({Durable(1), Refused(2, /*slow_down=*/true), Refused(3, false)}) ==
        Words{"ack 1", "slow down: disk full", "goodbye: disk full (retry)", "close"});
  CHECK(agent.Result({Durable(2)}).empty());
}

TEST_CASE("what is not an agent is turned away", "[ingest][session]") {
  Conversation peer;
  SECTION("at its first wrong byte, without an answer") {
    CHECK(peer.Send("GET / HTTP/1.1\r\n") == Words{"refuse not_dunlin", "close"});
    CHECK(peer.Send("more").empty());
  }
  SECTION("when it says nothing") {
    CHECK(peer.Wait(9s).empty());
    CHECK(peer.Wait(1s) == Words{"refuse not_dunlin", "close"});
  }
  SECTION("when its hello dribbles in") {
    std::string bytes = PrefaceAndHello(HelloOf("web"));
    for (std::size_t i = 0; i < 9; ++i) {
      CHECK(peer.Send(bytes.substr(i, 1)).empty());
      CHECK(peer.Wait(1s).empty());
    }
    CHECK(peer.Send(bytes.substr(9, 1)).empty());
    CHECK(peer.Wait(1s) ==
          Words{"refuse not_dunlin", "goodbye: no hello in time (retry)", "close"});
  }
  SECTION("when its first frame is larger than any hello") {
    std::string bytes;
    wire::AppendFrame(bytes, wire::FrameType::kHello, std::string(wire::kMaxHelloBytes + 1, '\0'));
    // Nothing but its header is needed.
    Words words = peer.Send(std::string(wire::kPreface) + bytes.substr(0, wire::kFrameHeaderBytes));
    REQUIRE(words.size() == 3);
    CHECK(words[0] == "refuse protocol");
    CHECK(words[2] == "close");
    CHECK(peer.session().buffered_bytes() <= wire::kFrameHeaderBytes);
  }
  SECTION("when its labels have no end") {
    wire::Hello hello = HelloOf("web");
    for (int i = 0; i < 10'000; ++i) hello.labels.Set(Join("l", i), "x");
    std::string bytes = PrefaceAndHello(hello);
    REQUIRE(bytes.size() > wire::kMaxHelloBytes);
    CHECK(peer.Send(bytes).front() == "refuse protocol");
  }
  SECTION("when its hello is small and has too many labels all the same") {
    wire::Hello hello = HelloOf("web");
    for (int i = 0; i < 100; ++i) hello.labels.Set(Join("l", i), "x");
    CHECK(peer.Send(PrefaceAndHello(hello)).front() == "refuse protocol");
  }
  SECTION("when damaged frames follow") {
    std::string bytes = PrefaceAndHello(HelloOf("web"));
    bytes.back() ^= 1;
    Words words = peer.Send(bytes);
    REQUIRE(words.size() == 3);
    CHECK(words[0] == "refuse protocol");
    CHECK(words[2] == "close");
  }
  SECTION("when a batch comes before the welcome") {
    CHECK(peer.Send(std::string(wire::kPreface) + BatchFrame(1, {"a"})) ==
          Words{"refuse protocol", "goodbye: a batch before the welcome (retry)", "close"});
  }
  SECTION("when it introduces itself twice") {
    peer.Open();
    CHECK(peer.Send(FrameOf(wire::FrameType::kHello, HelloOf("web"))) ==
          Words{"refuse protocol", "goodbye: a second hello (retry)", "close"});
  }
  SECTION("when it plays the collector") {
    peer.Open();
    CHECK(
        peer.Send(FrameOf(wire::FrameType::kAck, wire::Ack{1})) ==
        Words{"refuse protocol", "goodbye: a frame that only a collector sends (retry)", "close"});
  }
}

TEST_CASE("an agent of another protocol version is told so", "[ingest][session]") {
  Conversation agent;
  wire::Hello hello = HelloOf("web");
  hello.protocol_version = 9;
  hello.min_protocol_version = 8;
  CHECK(agent.Send(PrefaceAndHello(hello)) ==
        Words{"refuse version",
              "goodbye: the agent speaks protocol versions 8 to 9, this collector speaks 1 (final)",
              "close"});
}

TEST_CASE("a newer agent that still speaks ours is welcome", "[ingest][session]") {
  Conversation agent;
  wire::Hello hello = HelloOf("web");
  hello.protocol_version = 9;
  CHECK(agent.Send(PrefaceAndHello(hello)) == Words{"admit shop/web/v1/web-1"});
}

TEST_CASE("a token opens the door", "[ingest][session]") {
  SessionOptions options;
  options.token = "secret";
  Conversation agent(options);
  wire::Hello hello = HelloOf("web");
  SECTION("the right one") {
    hello.token = "secret";
    CHECK(agent.Send(PrefaceAndHello(hello)) == Words{"admit shop/web/v1/web-1"});
  }
  SECTION("none") {
    CHECK(agent.Send(PrefaceAndHello(hello)) ==
          Words{"refuse token", "goodbye: this collector asks for a token (--token-file) (final)",
                "close"});
  }
  SECTION("a wrong one") {
    hello.token = "Secret";
    CHECK(agent.Send(PrefaceAndHello(hello)) ==
          Words{"refuse token", "goodbye: the token is not this collector's (final)", "close"});
  }
}

TEST_CASE("an identity that cannot name streams is refused", "[ingest][session]") {
  Conversation agent;
  wire::Hello hello = HelloOf("web");
  hello.labels = LabelSet{{"output", "x"}};
  CHECK(agent.Send(PrefaceAndHello(hello)) ==
        Words{"refuse identity",
              "goodbye: --label output is reserved: use --output or another name (final)",
              "close"});
}

TEST_CASE("silence is asked about, then ends the connection", "[ingest][session]") {
  Conversation agent;
  agent.Open();
  CHECK(agent.Wait(29s).empty());
  CHECK(agent.Wait(1s) == Words{"ping"});
  CHECK(agent.Wait(10s).empty());
  SECTION("unless the agent answers") {
    agent.Send(FrameOf(wire::FrameType::kPong, wire::Pong{1}));
    CHECK(agent.Wait(29s).empty());
  }
  SECTION("for good") {
    CHECK(agent.Wait(50s) == Words{"goodbye: nothing was heard from the agent (retry)", "close"});
  }
}

TEST_CASE("pings and metrics are taken between batches", "[ingest][session]") {
  Conversation agent;
  agent.Open();
  CHECK(agent.Send(FrameOf(wire::FrameType::kPing, wire::Ping{42})) == Words{"pong 42"});
  wire::Metrics metrics;
  metrics.families.push_back({"dunlin_agent_x", "help", "gauge", {{LabelSet{}, 1, ""}}});
  CHECK(agent.Send(FrameOf(wire::FrameType::kMetrics, metrics)) == Words{"metrics of 1 families"});
}

TEST_CASE("a stopping collector and a newer connection say goodbye", "[ingest][session]") {
  Conversation agent;
  agent.Open();
  SECTION("stopping") {
    CHECK(WordsOf(agent.session().OnStopping()) ==
          Words{"goodbye: the collector is stopping (retry)", "close"});
  }
  SECTION("replaced") {
    CHECK(WordsOf(agent.session().OnReplaced()) ==
          Words{"goodbye: a newer connection of this agent took over (retry)", "close"});
  }
  CHECK(agent.session().closed());
}

TEST_CASE("a batch may stand for a range that holds the one expected", "[ingest][session]") {
  Conversation agent;
  agent.Open();
  CHECK(agent.Send(BatchFrame(1, {"a"})) == Words{"store 1"});
  CHECK(agent.Send(RangeFrame(2, 7)) == Words{"store 7"});
  CHECK(agent.Send(BatchFrame(8, {"b"})) == Words{"store 8"});
  SECTION("and is acknowledged with it") {
    CHECK(agent.Result({Durable(7), Durable(8)}).empty());
    CHECK(agent.Result({Durable(1)}) == Words{"ack 8"});
  }
  SECTION("or rejected") {
    CHECK(agent.Result({Durable(1), Rejected(7), Durable(8)}) ==
          Words{"ack 1", "reject 7: unreadable", "ack 8"});
  }
  SECTION("and is known when it comes again") {
    CHECK(agent.Result({Durable(1), Durable(7), Durable(8)}) == Words{"ack 8"});
    CHECK(agent.Send(RangeFrame(2, 7)) == Words{"ack 8"});
    CHECK(agent.Send(RangeFrame(2, 8)) == Words{"ack 8"});
  }
}

TEST_CASE("a range is not waited for where it is durable already", "[ingest][session]") {
  Conversation agent;
  agent.Open(4);
  CHECK(agent.Send(RangeFrame(2, 6)) == Words{"store 6"});
  CHECK(agent.Result({Durable(6)}) == Words{"ack 6"});
}

TEST_CASE("a range behind what is expected is an error", "[ingest][session]") {
  Conversation agent;
  agent.Open(2);
  CHECK(agent.Send(RangeFrame(3, 6)) ==
        Words{"goodbye: batch 3 came where 2 was expected (retry)", "close"});
}

TEST_CASE("an agent that begins at the end of all sequences gets nowhere", "[ingest][session]") {
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();
  Conversation agent;
  wire::Hello hello = HelloOf("web");
  hello.first_sequence = kLast;
  REQUIRE(agent.Send(PrefaceAndHello(hello)) == Words{"admit shop/web/v1/web-1"});
  REQUIRE(agent.Admit(1) == Words{"welcome next=1"});
  CHECK(agent.Send(BatchFrame(kLast, {"a"})) ==
        Words{"refuse protocol", "goodbye: a batch that none could follow (final)", "close"});
}

TEST_CASE("a range to the end of all sequences is refused", "[ingest][session]") {
  Conversation agent;
  agent.Open();
  CHECK(agent.Send(RangeFrame(1, ~std::uint64_t{0})) ==
        Words{"refuse protocol", "goodbye: a batch that none could follow (final)", "close"});
}

}  // namespace
}  // namespace dunlin::ingest
