#include "tests/shipper/scripted_collector.h"

#include <algorithm>
#include <utility>

#include "protocol/base/check.h"

namespace dunlin::testing {

struct ScriptedCollector::Peer {
  std::unique_ptr<net::Connection> connection;
  std::string preface;
  wire::FrameReader reader;
  std::uint64_t* durable = nullptr;  // of the boot that it is; set by its Hello
  bool gone = false;
};

ScriptedCollector::ScriptedCollector(net::Loop& loop, net::HostPort address)
    : loop_(loop), address_(std::move(address)), reap_timer_(loop, [this] { gone_.clear(); }) {
  OpenListener();
}

ScriptedCollector::~ScriptedCollector() = default;

void ScriptedCollector::CloseListener() { listener_.reset(); }

void ScriptedCollector::OpenListener() {
  auto listener = net::Listener::Listen(
      loop_, address_,
      [this](std::unique_ptr<net::Connection> connection) { Accept(std::move(connection)); }, tls);
  Check(listener.has_value(), "a loopback port to listen on");
  listener_ = std::move(*listener);
  address_ = listener_->local_address();
}

void ScriptedCollector::Send(wire::FrameType type, const std::string& payload) {
  std::string frame;
  wire::AppendFrame(frame, type, payload);
  SendBytes(std::move(frame));
}

void ScriptedCollector::SendBytes(std::string bytes) {
  for (auto& peer : peers_) {
    if (peer->durable != nullptr) peer->connection->Write(bytes);
  }
}

void ScriptedCollector::Answer(Peer& peer, wire::FrameType type, const std::string& payload) {
  std::string frame;
  wire::AppendFrame(frame, type, payload);
  peer.connection->Write(std::move(frame));
}

void ScriptedCollector::Acknowledge() {
  for (auto& peer : peers_) {
    if (peer->durable == nullptr) continue;
    Answer(*peer, wire::FrameType::kAck, wire::Encode(wire::Ack{*peer->durable}));
  }
}

void ScriptedCollector::Cut() {
  for (auto& peer : peers_) peer->gone = true;
  Reap();
}

void ScriptedCollector::StopReading() {
  for (auto& peer : peers_) peer->connection->StopReading();
}

std::string ScriptedCollector::Text(wire::Output output) const {
  std::string text;
  for (const Entry& entry : entries) {
    if (entry.output != output) continue;
    text += entry.line;
    bool ends_line = entry.mark.fragment_id == 0 || entry.mark.fragment_last;
    if (ends_line && !entry.mark.unterminated) text.push_back('\n');
  }
  return text;
}

void ScriptedCollector::Accept(std::unique_ptr<net::Connection> connection) {
  auto peer = std::make_unique<Peer>();
  peer->connection = std::move(connection);
  Peer* at = peer.get();
  at->connection->on_data = [this, at](std::string_view bytes) { OnData(*at, bytes); };
  at->connection->on_close = [this, at](std::optional<Error>) {
    at->gone = true;
    Reap();
  };
  if (read) at->connection->StartReading();
  peers_.push_back(std::move(peer));
}

void ScriptedCollector::OnData(Peer& peer, std::string_view bytes) {
  if (peer.gone) return;
  received_bytes += bytes.size();
  if (peer.preface.size() < wire::kPreface.size()) {
    std::size_t missing = std::min(bytes.size(), wire::kPreface.size() - peer.preface.size());
    peer.preface += bytes.substr(0, missing);
    bytes.remove_prefix(missing);
    if (peer.preface.size() == wire::kPreface.size() && peer.preface != wire::kPreface) {
      failed_ = true;
    }
  }
  peer.reader.Feed(bytes);
  while (!peer.gone) {
    auto frame = peer.reader.Next();
    if (!frame) {
      failed_ = true;
      return;
    }
    if (!*frame) return;
    OnFrame(peer, **frame);
  }
}

void ScriptedCollector::OnFrame(Peer& peer, const wire::Frame& frame) {
  switch (frame.type) {
    case wire::FrameType::kHello: {
      auto hello = wire::DecodeHello(frame.payload);
      Check(hello.has_value(), "a hello that decodes");
      hellos.push_back(*hello);
      peer.durable = &durable_[hello->boot_id];
      if (!welcome) return;
      *peer.durable = std::max(*peer.durable, hello->first_sequence - 1);
      wire::Welcome answer;
      answer.next_sequence = next_sequence.value_or(*peer.durable + 1);
      answer.max_unacknowledged_batches = max_unacknowledged_batches;
      answer.max_frame_bytes = max_frame_bytes;
      Answer(peer, wire::FrameType::kWelcome, wire::Encode(answer));
      if (on_welcomed) on_welcomed();
      return;
    }
    case wire::FrameType::kBatch:
      OnBatch(peer, frame.payload);
      return;
    case wire::FrameType::kMetrics: {
      auto snapshot = wire::DecodeMetrics(frame.payload);
      Check(snapshot.has_value(), "metrics that decode");
      metrics.push_back(std::move(*snapshot));
      return;
    }
    case wire::FrameType::kPing: {
      auto ping = wire::DecodePing(frame.payload);
      Check(ping.has_value(), "a ping that decodes");
      Answer(peer, wire::FrameType::kPong, wire::Encode(wire::Pong{ping->nonce}));
      return;
    }
    case wire::FrameType::kPong:
      return;
    case wire::FrameType::kWelcome:
    case wire::FrameType::kAck:
    case wire::FrameType::kReject:
    case wire::FrameType::kSlowDown:
    case wire::FrameType::kGoodbye:
      failed_ = true;
      return;
  }
}

void ScriptedCollector::OnBatch(Peer& peer, std::string_view payload) {
  auto view = wire::DecodeBatch(payload);
  Check(view.has_value(), "a batch that decodes");
  const std::uint64_t sequence = view->header.sequence;
  Check(peer.durable != nullptr, "a batch behind a hello");
  last_durable_ = peer.durable;
  if (decode) {
    arrivals.push_back({sequence, std::string(payload), view->header.first()});
    if (on_batch && on_batch(arrivals.back())) return;
  }
  if (peer.gone || !keep) return;
  std::uint64_t& durable = *peer.durable;
  if (view->header.first() > durable + 1) failed_ = true;  // a hole
  if (view->header.first() <= durable + 1 && sequence > durable) {
    durable = sequence;
    durable_lines_ += view->entries;
    gaps.insert(gaps.end(), view->header.gaps.begin(), view->header.gaps.end());
    if (decode) {
      wire::Columns columns;
      if (view->entries > 0) {
        Check(decoder_.Decode(*view, columns).has_value(), "columns that decode");
      }
      std::size_t line = 0;
      std::size_t offset = 0;
      auto mark = columns.marks.begin();
      for (const wire::Run& run : columns.runs) {
        for (std::uint32_t i = 0; i < run.entries; ++i, ++line) {
          std::size_t size = columns.line_lengths[line];
          Entry entry{run.output, columns.lines.substr(offset, size), run.time_ns + i, {}};
          offset += size + 1;
          if (mark != columns.marks.end() && mark->entry == line) entry.mark = *mark++;
          entries.push_back(std::move(entry));
        }
      }
    }
  }
  if (acknowledge) Answer(peer, wire::FrameType::kAck, wire::Encode(wire::Ack{durable}));
}

void ScriptedCollector::Refuse(std::uint64_t sequence) {
  std::uint64_t first = sequence;
  if (!arrivals.empty() && arrivals.back().sequence == sequence) {
    first = arrivals.back().first_sequence;
  }
  if (last_durable_ != nullptr && first <= *last_durable_ + 1) {
    *last_durable_ = std::max(*last_durable_, sequence);
  }
  Send(wire::FrameType::kReject, wire::Encode(wire::Reject{sequence, "refused"}));
}

void ScriptedCollector::Reap() {
  for (auto at = peers_.begin(); at != peers_.end();) {
    auto next = std::next(at);
    if ((*at)->gone) gone_.splice(gone_.end(), peers_, at);
    at = next;
  }
  // Not from inside their callbacks.
  reap_timer_.Start({});
}

}  // namespace dunlin::testing
