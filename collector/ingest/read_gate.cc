#include "collector/ingest/read_gate.h"

#include <algorithm>
#include <utility>

namespace dunlin::ingest {

void ReadGate::Add(ConnectionId id) {
  Account& account = accounts_[id];
  if (!closed_) return;
  account.state = State::kWaiting;
  waiting_.push_back(id);
}

void ReadGate::Remove(ConnectionId id) {
  auto found = accounts_.find(id);
  if (found == accounts_.end()) return;
  partial_bytes_ -= found->second.partial;
  LeavePlace(id, found->second);
  if (found->second.state == State::kWaiting) std::erase(waiting_, id);
  if (found->second.state == State::kPlace) std::erase(waiting_for_place_, id);
  accounts_.erase(found);
}

void ReadGate::Charge(ConnectionId id, std::uint64_t bytes) {
  charged_bytes_ += bytes;
  auto found = accounts_.find(id);
  if (found != accounts_.end()) {
    Account& account = found->second;
    account.charged += bytes;
    account.served = true;
    if (account.state == State::kOpen && account.charged >= limits_.connection_bytes) {
      account.state = State::kOwnLimit;
    }
  }
  if (!closed_ && charged_bytes_ >= limits_.total_bytes) CloseAll();
}

void ReadGate::CloseAll() {
  closed_ = true;
  std::vector<std::pair<std::uint64_t, ConnectionId>> unserved;
  for (auto& [id, account] : accounts_) {
    if (account.state != State::kOpen) continue;
    account.state = State::kWaiting;
    if (account.served) {
      waiting_.push_back(id);
    } else {
      unserved.emplace_back(account.turn, id);
    }
  }
  std::sort(unserved.begin(), unserved.end());
  for (auto next = unserved.rbegin(); next != unserved.rend(); ++next) {
    waiting_.push_front(next->second);
  }
}

void ReadGate::Release(ConnectionId id, std::uint64_t bytes) {
  charged_bytes_ -= bytes;
  if (charged_bytes_ <= limits_.total_bytes / 2) closed_ = false;
  auto found = accounts_.find(id);
  if (found == accounts_.end()) return;
  Account& account = found->second;
  account.charged -= bytes;
  if (account.state == State::kOwnLimit && account.charged <= limits_.connection_bytes / 2) {
    account.state = State::kWaiting;
    waiting_.push_back(id);
  }
}

void ReadGate::SetPartialFrame(ConnectionId id, std::uint64_t held, std::uint64_t whole) {
  auto found = accounts_.find(id);
  if (found == accounts_.end()) return;
  Account& account = found->second;
  const bool another_frame = held < account.partial || whole != account.placed;
  partial_bytes_ += held;
  partial_bytes_ -= account.partial;
  account.partial = held;
  account.whole = whole;
  // A place is for one frame; the next one stands in line again.
  if (account.has_place && (another_frame || !IsLarge(account))) LeavePlace(id, account);
  if (!IsLarge(account) || account.has_place || account.state != State::kOpen) return;
  if (waiting_for_place_.empty() && HasRoomFor(account)) return TakePlace(id, account);
  account.state = State::kPlace;
  waiting_for_place_.push_back(id);
}

/// The largest frame fits when it is alone, whatever the limit.
bool ReadGate::HasRoomFor(const Account& account) const {
  return places_.empty() || placed_bytes_ + account.whole <= limits_.large_frame_bytes;
}

void ReadGate::TakePlace(ConnectionId id, Account& account) {
  account.has_place = true;
  account.placed = account.whole;
  placed_bytes_ += account.placed;
  places_.push_back(id);
}

void ReadGate::LeavePlace(ConnectionId id, Account& account) {
  if (!account.has_place) return;
  account.has_place = false;
  placed_bytes_ -= std::exchange(account.placed, 0);
  std::erase(places_, id);
}

bool ReadGate::MayRead(ConnectionId id) const {
  auto found = accounts_.find(id);
  return found != accounts_.end() && found->second.state == State::kOpen;
}

void ReadGate::BeginTurn(ConnectionId id, Account& account, std::vector<ConnectionId>& opened) {
  account.state = State::kOpen;
  account.served = false;
  account.turn = ++turns_;
  opened.push_back(id);
}

void ReadGate::GivePlaces(std::vector<ConnectionId>& opened) {
  while (!waiting_for_place_.empty()) {
    ConnectionId id = waiting_for_place_.front();
    Account& account = accounts_.at(id);
    if (IsLarge(account)) {
      if (!HasRoomFor(account)) return;
      TakePlace(id, account);
    }
    waiting_for_place_.pop_front();
    BeginTurn(id, account, opened);
  }
}

std::vector<ConnectionId> ReadGate::Open() {
  std::vector<ConnectionId> opened;
  if (closed_) return opened;
  GivePlaces(opened);
  while (!waiting_.empty() && opened.size() < limits_.opened_at_once) {
    ConnectionId id = waiting_.front();
    waiting_.pop_front();
    Account& account = accounts_.at(id);
    if (IsLarge(account) && !account.has_place) {
      account.state = State::kPlace;
      waiting_for_place_.push_back(id);
      GivePlaces(opened);
      continue;
    }
    BeginTurn(id, account, opened);
  }
  return opened;
}

std::size_t ReadGate::unread() const {
  return static_cast<std::size_t>(
      std::count_if(accounts_.begin(), accounts_.end(),
                    [](const auto& item) { return item.second.state != State::kOpen; }));
}

std::vector<ConnectionId> ReadGate::ContestedPlaces() const {
  if (waiting_for_place_.empty()) return {};
  return {places_.begin(), places_.end()};
}

}  // namespace dunlin::ingest
