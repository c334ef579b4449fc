#pragma once

#include <string>

/// Picks Catch2 2 or 3, whichever the distribution has. Every test includes this header only.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

namespace dunlin::test {

/// CHECK_THAT(text, HasText("part")): Catch2 3 calls Contains for text by another name.
inline auto HasText(const std::string& part) {
#if __has_include(<catch2/catch_all.hpp>)
  return Catch::Matchers::ContainsSubstring(part);
#else
  return Catch::Matchers::Contains(part);
#endif
}

}  // namespace dunlin::test
