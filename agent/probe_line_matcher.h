#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/probe_pattern.h"

namespace dunlin::agent {

/// No more of a line is looked at.
inline constexpr std::size_t kMaxMatchedBytes = 8 * 1024;

/// Finds a pattern in the lines of one output, fed in chunks as they are read. Nothing is copied:
/// all it remembers of an unfinished line is where the pattern stands.
///
/// The pattern's machine is run as a deterministic one that is built while it is used: a byte costs
/// one look-up, once its transition is known. What is known is forgotten when it takes too much
/// room, so memory is bounded as well. Loop thread only.
class LineMatcher {
 public:
  explicit LineMatcher(const LinePattern& pattern);  // outlives this
  LineMatcher(const LineMatcher&) = delete;
  LineMatcher& operator=(const LineMatcher&) = delete;

  /// Takes the next bytes of the output; returns in how many lines the pattern was found. A line
  /// counts as soon as it is certain, once.
  unsigned Feed(std::string_view chunk);
  /// The next byte begins a line: another process writes now.
  void Reset() { BeginLine(); }

  /// Of what is known about the pattern; for tests.
  std::size_t known_states() const { return states_.size(); }

 private:
  using StateIndex = std::uint16_t;
  // What a byte can lead to beside a state.
  static constexpr StateIndex kUnknown = 0xFFFF;
  static constexpr StateIndex kFound = 0xFFFE;
  static constexpr StateIndex kHopeless = 0xFFFD;  // not in this line any more
  static constexpr std::size_t kMaxStates = 128;

  struct State {
    std::vector<std::uint16_t> steps;  // sorted: those that wait for a byte or the line's end
    bool ends_found = false;           // found if the line ends here
  };
  enum class Place { kLineStart, kWithin, kLineEnd, kEmptyLine };

  bool FeedUndecided(std::string_view& chunk);
  void BeginLine();
  void Build();
  StateIndex Follow(StateIndex from, unsigned char byte);
  StateIndex Remember(std::vector<std::uint16_t> steps);
  /// The steps that wait where those begin, sorted; nothing when the expression is found.
  std::optional<std::vector<std::uint16_t>> StepsFrom(const std::vector<std::uint16_t>& begins,
                                                      Place place);
  bool EndsFound(const std::vector<std::uint16_t>& steps, Place place);
  void Close(std::uint16_t step, Place place, std::vector<std::uint16_t>& into, bool& found);

  const LinePattern& pattern_;
  std::vector<State> states_;            // the first is that of a line's start
  std::vector<StateIndex> transitions_;  // of each state, one per class of bytes
  std::vector<bool> seen_;               // while a state is made
  bool found_in_empty_line_ = false;
  bool found_in_any_line_ = false;

  StateIndex state_ = 0;
  std::size_t line_bytes_ = 0;
  bool decided_ = false;  // the rest of the line does not matter
};

}  // namespace dunlin::agent
