// Catch2 2 needs its main function compiled once; Catch2 3 brings a library with it.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif

#ifdef __SANITIZE_THREAD__
#include <unistd.h>

namespace {

// ThreadSanitizer sets up a thread's signal state in its first blocking call, and forgets a signal
// that arrives just then. So the first one is here, before anything sends signals.
[[maybe_unused]] const int signal_state_is_set_up = usleep(1);

}  // namespace
#endif
