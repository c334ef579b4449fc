#include "agent/probe_line_matcher.h"

#include <algorithm>
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
  auto steps = StepsFrom({pattern_.first_step()}, Place::kLineStart);
  found_in_any_line_ = !steps;
  Remember(std::move(steps).value_or(std::vector<std::uint16_t>()));
}

void LineMatcher::BeginLine() {
  state_ = 0;
  line_bytes_ = 0;
  decided_ = false;
}

unsigned LineMatcher::Feed(std::string_view chunk) {
  unsigned lines = 0;
  while (!chunk.empty()) {
    if (!decided_) lines += FeedUndecided(chunk) ? 1 : 0;
    if (!decided_) continue;
    const std::size_t end = chunk.find('\n');
    if (end == std::string_view::npos) return lines;
    chunk.remove_prefix(end + 1);
    BeginLine();
  }
  return lines;
}

/// Takes bytes of the line until it is decided or has ended. True when the expression is found.
bool LineMatcher::FeedUndecided(std::string_view& chunk) {
  if (chunk[0] == '\n' && line_bytes_ == 0) {
    chunk.remove_prefix(1);
    return found_in_empty_line_;
  }
  const std::size_t size = std::min(chunk.size(), kMaxMatchedBytes - line_bytes_);
  std::size_t at = 0;
  StateIndex next = found_in_any_line_ ? kFound : state_;
  // One look-up a byte, as long as it leads to a state that is known.
  const StateIndex* const transitions = transitions_.data();
  const std::size_t classes = pattern_.class_count();
  while (next < kHopeless && at < size && chunk[at] != '\n') {
    state_ = next;
    next = transitions[state_ * classes + pattern_.ClassOf(static_cast<unsigned char>(chunk[at]))];
    ++at;
  }
  if (next == kUnknown) next = Follow(state_, static_cast<unsigned char>(chunk[at - 1]));
  line_bytes_ += at;
  if (next >= kHopeless || line_bytes_ == kMaxMatchedBytes) {
    decided_ = true;
    chunk.remove_prefix(at);
    return next == kFound;
  }
  state_ = next;
  const bool ended = at < size && chunk[at] == '\n';
  chunk.remove_prefix(ended ? at + 1 : at);
  const bool found = ended && states_[state_].ends_found;
  if (ended) BeginLine();
  return found;
}

LineMatcher::StateIndex LineMatcher::Follow(StateIndex from, unsigned char byte) {
  // The expression may begin at every byte.
  std::vector<std::uint16_t> begins{pattern_.first_step()};
  for (std::uint16_t index : states_[from].steps) {
    const Step& step = pattern_.steps()[index];
    if (step.kind == Step::Kind::kByte && pattern_.Passes(step, byte)) begins.push_back(step.next);
  }
  auto steps = StepsFrom(begins, Place::kWithin);
  StateIndex to = kFound;
  if (steps && steps->empty()) {
    to = kHopeless;
  } else if (steps) {
    if (states_.size() == kMaxStates) {
      Build();
      return Remember(std::move(*steps));
    }
    to = Remember(std::move(*steps));
  }
  transitions_[from * pattern_.class_count() + pattern_.ClassOf(byte)] = to;
  return to;
}

LineMatcher::StateIndex LineMatcher::Remember(std::vector<std::uint16_t> steps) {
  // The first one is of another place: no byte leads back to a line's start.
  for (std::size_t i = 1; i < states_.size(); ++i) {
    if (states_[i].steps == steps) return static_cast<StateIndex>(i);
  }
  const bool ends_found = EndsFound(steps, Place::kLineEnd);
  states_.push_back({std::move(steps), ends_found});
  transitions_.resize(states_.size() * pattern_.class_count(), kUnknown);
  return static_cast<StateIndex>(states_.size() - 1);
}

std::optional<std::vector<std::uint16_t>> LineMatcher::StepsFrom(
    const std::vector<std::uint16_t>& begins, Place place) {
  std::vector<std::uint16_t> steps;
  bool found = false;
  std::fill(seen_.begin(), seen_.end(), false);
  for (std::uint16_t begin : begins) Close(begin, place, steps, found);
  if (found) return std::nullopt;
  std::sort(steps.begin(), steps.end());
  return steps;
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
