// Catch2 2 needs its main function compiled once; Catch2 3 brings a library with it.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
