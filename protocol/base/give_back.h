#pragma once

namespace dunlin {

/// Empties a string or vector and gives its memory back. What is assigned {}, or an empty one,
/// keeps its capacity.
template <typename Container>
void GiveBack(Container& container) {
  Container().swap(container);
}

}  // namespace dunlin
