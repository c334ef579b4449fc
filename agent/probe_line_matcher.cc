#include "agent/probe_line_matcher.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace dunlin::agent {

using Step = LinePattern::Step;

LineMatcher::LineMatcher(const LinePattern& pattern)
    : pattern_(pattern), seen_(pattern.steps().size()) {
  found_in_empty_line_ = EndsFound({pattern.first_step()}, Place::kEmptyLine);
  Build();
}

void LineMatcher::Build() {
  states_.clear();
  transitions_.clear();
  Remember(MakeState({pattern_.first_step()}, Place::kLineStart));
}

void LineMatcher::BeginLine() {
  state_ = 0;
  line_bytes_ = 0;
  // Nothing needs to be read for what is found in front of the first byte, but there has to be a
  // line: it counts with its first byte.
  decided_ = false;
}

unsigned LineMatcher::Feed(std::string_view chunk) {
  unsigned lines = 0;
  std::size_t at = 0;
  while (at < chunk.size()) {
    if (decided_) {
      const void* end = std::memchr(chunk.data() + at, '\n', chunk.size() - at);
      if (end == nullptr) return lines;
      at = static_cast<std::size_t>(static_cast<const char*>(end) - chunk.data()) + 1;
      BeginLine();
      continue;
    }
    const auto byte = static_cast<unsigned char>(chunk[at++]);
    if (byte == '\n') {
      const bool found = line_bytes_ == 0 ? found_in_empty_line_ : states_[state_].ends_found;
      lines += found ? 1 : 0;
      BeginLine();
      continue;
    }
    if (line_bytes_ == 0 && states_[0].found) {
      ++lines;
      decided_ = true;
      continue;
    }
    ++line_bytes_;
    const std::size_t slot = state_ * pattern_.class_count() + pattern_.ClassOf(byte);
    StateIndex next = transitions_[slot];
    if (next == kUnknown) next = Follow(state_, byte);
    state_ = next;
    const State& state = states_[next];
    lines += state.found ? 1 : 0;
    decided_ = state.found || state.steps.empty() || line_bytes_ == kMaxMatchedBytes;
  }
  return lines;
}

LineMatcher::StateIndex LineMatcher::Follow(StateIndex from, unsigned char byte) {
  // The expression may begin at every byte.
  std::vector<std::uint16_t> begins{pattern_.first_step()};
  for (std::uint16_t index : states_[from].steps) {
    const Step& step = pattern_.steps()[index];
    if (step.kind == Step::Kind::kByte && pattern_.Passes(step, byte)) begins.push_back(step.next);
  }
  State state = MakeState(std::move(begins), Place::kWithin);
  if (states_.size() == kMaxStates) {
    Build();
    return Remember(std::move(state));
  }
  const StateIndex to = Remember(std::move(state));
  transitions_[from * pattern_.class_count() + pattern_.ClassOf(byte)] = to;
  return to;
}

LineMatcher::StateIndex LineMatcher::Remember(State state) {
  // The first one is of another place: a line may not have ended there yet.
  for (std::size_t i = 1; i < states_.size(); ++i) {
    if (states_[i].steps == state.steps && states_[i].found == state.found) {
      return static_cast<StateIndex>(i);
    }
  }
  states_.push_back(std::move(state));
  transitions_.resize(states_.size() * pattern_.class_count(), kUnknown);
  return static_cast<StateIndex>(states_.size() - 1);
}

LineMatcher::State LineMatcher::MakeState(std::vector<std::uint16_t> begins, Place place) {
  State state;
  std::fill(seen_.begin(), seen_.end(), false);
  for (std::uint16_t begin : begins) Close(begin, place, state.steps, state.found);
  // Nothing is asked of a state in which the expression has been found.
  if (state.found) state.steps.clear();
  std::sort(state.steps.begin(), state.steps.end());
  state.ends_found = state.found || EndsFound(state.steps, Place::kLineEnd);
  return state;
}

bool LineMatcher::EndsFound(const std::vector<std::uint16_t>& steps, Place place) {
  std::vector<std::uint16_t> waiting;
  bool found = false;
  std::fill(seen_.begin(), seen_.end(), false);
  for (std::uint16_t step : steps) Close(step, place, waiting, found);
  return found;
}

/// Adds the steps that are reached from `begin` without a byte.
void LineMatcher::Close(std::uint16_t begin, Place place, std::vector<std::uint16_t>& into,
                        bool& found) {
  std::vector<std::uint16_t> open{begin};
  while (!open.empty()) {
    const std::uint16_t index = open.back();
    open.pop_back();
    if (seen_[index]) continue;
    seen_[index] = true;
    const Step& step = pattern_.steps()[index];
    switch (step.kind) {
      case Step::Kind::kByte:
        into.push_back(index);
        break;
      case Step::Kind::kSplit:
        open.push_back(step.other);
        open.push_back(step.next);
        break;
      case Step::Kind::kLineStart:
        if (place == Place::kLineStart || place == Place::kEmptyLine) open.push_back(step.next);
        break;
      case Step::Kind::kLineEnd:
        if (place == Place::kLineEnd || place == Place::kEmptyLine) {
          open.push_back(step.next);
        } else {
          into.push_back(index);
        }
        break;
      case Step::Kind::kMatch:
        found = true;
        break;
    }
  }
}

}  // namespace dunlin::agent
