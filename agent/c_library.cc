// Parts of the GNU C library that a static agent is better without. A function defined here keeps
// the library's own, and all that it needs, out of the program. They are weak: where the library's
// are needed all the same, those win, and the size test tells.
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>

#include "agent/utc_time.h"

extern "C" {

// Loading modules: character sets and name services would be those of the image, of another version
// than the library that is linked here. Character sets that need a module are thus unknown; nobody
// asks for one. Optional system calls that a library looks for by name it tries without.
[[gnu::weak]] void* __libc_dlopen_mode(const char* /*name*/, int /*mode*/) { return nullptr; }
[[gnu::weak]] void* __libc_dlsym(void* /*module*/, const char* /*name*/) { return nullptr; }
[[gnu::weak]] int __libc_dlclose(void* /*module*/) { return 0; }
[[gnu::weak]] void* dlsym(void* /*module*/, const char* /*name*/) { return nullptr; }

// GLIBC_TUNABLES and MALLOC_* are read before main() begins, and are meant for the process: huge
// pages for its heap, say. The linker gives the library this function in the place of its own
// (--wrap), which so reads an environment of ours. It runs before the library is set up, so it may
// do nothing else. No caches of small free blocks (tcache): up to 235 KB that fill as sizes come
// by, and each block keeps its page from being given back; mallopt(3) does not know them.
void __real___tunables_init(char** environment);
void __wrap___tunables_init(char** /*environment*/) {
  static char tunables[] = "GLIBC_TUNABLES=glibc.malloc.tcache_count=0";
  static char* environment[] = {tunables, nullptr};
  __real___tunables_init(environment);
}

// Translations of messages: the agent speaks the locale "C".
[[gnu::weak]] char* __dcgettext(const char* /*domain*/, const char* message, int /*category*/) {
  return const_cast<char*>(message);
}
[[gnu::weak]] char* dcgettext(const char* domain, const char* message, int category) {
  return __dcgettext(domain, message, category);
}

// Time in UTC, for the dates of certificates: the library's would read the image's time zone first.
[[gnu::weak]] std::tm* gmtime_r(const std::time_t* time, std::tm* out) {
  *out = dunlin::agent::UtcTime(*time);
  return out;
}

// A failed assertion of a library, said without the formatting of wide characters.
[[gnu::weak, noreturn]] void __assert_fail(const char* assertion, const char* file,
                                           unsigned /*line*/, const char* function) noexcept {
  for (const char* part : {file, ": ", function, ": assertion failed: ", assertion, "\n"}) {
    [[maybe_unused]] ssize_t written = write(STDERR_FILENO, part, std::strlen(part));
  }
  std::abort();
}

}  // extern "C"
