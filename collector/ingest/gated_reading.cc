#include "collector/ingest/gated_reading.h"

namespace dunlin::ingest {

void GatedReading::Add(AgentConnection& connection) {
  gate_.Add(connection.id);
  Update(connection);
}

void GatedReading::Remove(ConnectionId id) {
  gate_.Remove(id);
  OpenMoreSoon();  // what it held is free for others
}

void GatedReading::Charge(AgentConnection& connection, std::uint64_t bytes) {
  gate_.Charge(connection.id, bytes);
}

void GatedReading::NoteBytes(AgentConnection& connection, std::size_t came) {
  const AgentSession& session = connection.session;
  // Something came whole, or nothing was there: what is there now has just begun.
  if (session.buffered_bytes() <= came) connection.frame_began = clock_.Steady();
  gate_.SetPartialFrame(connection.id, session.buffered_bytes(), session.awaited_frame_bytes());
  Update(connection);
}

void GatedReading::Follow() {
  if (gate_.closed() != was_closed_) {
    was_closed_ = gate_.closed();
    // All at once: what is in the kernel's buffers of thousands would pass every limit.
    if (was_closed_) UpdateAll();
  }
  if (!gate_.pressed()) {
    pressed_since_.reset();
  } else if (!pressed_since_) {
    pressed_since_ = clock_.Steady();
  }
  metrics_.SetInFlightBytes(gate_.charged_bytes());
  metrics_.SetPartialFrameBytes(gate_.partial_bytes());
  OpenSome();
}

void GatedReading::OpenSome() {
  std::vector<ConnectionId> opened = gate_.Open();
  for (ConnectionId id : opened) {
    auto found = connections_.find(id);
    if (found != connections_.end()) Update(*found->second);
  }
  if (!opened.empty()) OpenMoreSoon();
}

void GatedReading::OpenMoreSoon() {
  if (opening_) return;
  opening_ = true;
  loop_.Post([weak = std::weak_ptr<GatedReading*>(self_)] {
    auto self = weak.lock();
    if (!self) return;
    (*self)->opening_ = false;
    (*self)->Follow();
  });
}

void GatedReading::Update(AgentConnection& connection) {
  connection.SetReading(gate_.MayRead(connection.id) && !stopped_ && !connection.closing,
                        clock_.Steady());
}

void GatedReading::UpdateAll() {
  for (const auto& [id, connection] : connections_) Update(*connection);
}

void GatedReading::StopAll() {
  stopped_ = true;
  UpdateAll();
}

std::vector<ConnectionId> GatedReading::Dawdlers(std::chrono::nanoseconds limit) const {
  std::vector<ConnectionId> dawdlers;
  for (ConnectionId id : gate_.ContestedPlaces()) {
    auto found = connections_.find(id);
    if (found == connections_.end() || !found->second->reading) continue;
    if (clock_.Steady() - found->second->frame_began >= limit) dawdlers.push_back(id);
  }
  return dawdlers;
}

}  // namespace dunlin::ingest
