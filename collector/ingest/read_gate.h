#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "collector/ingest/connection_id.h"
#include "protocol/base/units.h"

namespace dunlin::ingest {

/// Decides from which connections is read, so that what they make the collector hold is bounded
/// however many there are, and none starves.
///
/// - Batches that are not durable are charged to their connection until they are. At
///   `connection_bytes` it is not read; at `total_bytes` none is. Reading begins again below half,
///   so that it does not flutter, and then in the order in which the connections stopped, a few at
///   a time. Whoever brought nothing in its turn, as the others filled the room, keeps its place at
///   the head of the line; so nobody waits longer than one turn of each other one.
/// - A frame that has not come whole is held too. Beyond `small_frame_bytes` of it, its connection
///   needs a place for the whole frame to go on: places are for `large_frame_bytes` of frames
///   together, and there is a queue for them.
///
/// Decides only; the driver reads and stops reading as told. One thread.
class ReadGate {
 public:
  struct Limits {
    std::uint64_t connection_bytes = 4_MiB;
    std::uint64_t total_bytes = 24_MiB;
    std::uint64_t small_frame_bytes = 16_KiB;
    std::uint64_t large_frame_bytes = 32_MiB;
    std::size_t opened_at_once = 16;
  };

  explicit ReadGate(Limits limits) : limits_(limits) {}

  /// A new connection; it may be read unless MayRead says otherwise.
  void Add(ConnectionId id);
  /// Its charges stay until they are released.
  void Remove(ConnectionId id);

  void Charge(ConnectionId id, std::uint64_t bytes);
  void Release(ConnectionId id, std::uint64_t bytes);
  /// What is held of a frame that has not come whole, and how large it says it is; 0: none is
  /// there.
  void SetPartialFrame(ConnectionId id, std::uint64_t held, std::uint64_t whole);

  bool MayRead(ConnectionId id) const;
  /// Lets the next few of those that wait read, as far as there is room, and returns them. Call it
  /// after Release, Remove and SetPartialFrame, and again in the next turn of the loop as long as
  /// it returns any.
  std::vector<ConnectionId> Open();

  /// No connection is read: the total is over its limit and not yet below half of it.
  bool closed() const { return closed_; }
  std::uint64_t charged_bytes() const { return charged_bytes_; }
  std::uint64_t partial_bytes() const { return partial_bytes_; }
  std::size_t unread() const;
  /// More than half of what all together may hold.
  bool pressed() const { return charged_bytes_ > limits_.total_bytes / 2; }
  /// Who holds places for large frames while others wait for one; the longest holder first.
  std::vector<ConnectionId> ContestedPlaces() const;

 private:
  enum class State {
    kOpen,
    kOwnLimit,  // holds too much itself
    kWaiting,   // for the total, in waiting_
    kPlace,     // for a place for its large frame, in waiting_for_place_
  };
  struct Account {
    State state = State::kOpen;
    std::uint64_t charged = 0;
    std::uint64_t partial = 0;
    std::uint64_t whole = 0;   // the frame's size, once it has come
    std::uint64_t placed = 0;  // what its place is for
    bool has_place = false;
    bool served = false;     // since it may be read, the last time
    std::uint64_t turn = 0;  // when that was
  };

  void CloseAll();
  bool IsLarge(const Account& account) const { return account.partial > limits_.small_frame_bytes; }
  bool HasRoomFor(const Account& account) const;
  void TakePlace(ConnectionId id, Account& account);
  void LeavePlace(ConnectionId id, Account& account);
  void BeginTurn(ConnectionId id, Account& account, std::vector<ConnectionId>& opened);
  void GivePlaces(std::vector<ConnectionId>& opened);

  const Limits limits_;
  std::map<ConnectionId, Account> accounts_;
  std::deque<ConnectionId> waiting_;
  std::deque<ConnectionId> waiting_for_place_;
  std::deque<ConnectionId> places_;  // who holds one
  std::uint64_t placed_bytes_ = 0;
  std::uint64_t turns_ = 0;
  std::uint64_t charged_bytes_ = 0;
  std::uint64_t partial_bytes_ = 0;
  bool closed_ = false;
};

}  // namespace dunlin::ingest
