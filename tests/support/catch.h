#pragma once

/// Picks Catch2 2 or 3, whichever the distribution has. Every test includes this header only.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
