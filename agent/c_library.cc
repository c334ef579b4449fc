// Parts of the GNU C library that a static agent is better without. A function defined here keeps
// the library's own, and all that it needs, out of the program. They are weak: where the library's
// are needed all the same, those win, and the size test tells.
extern "C" {

// Loading modules: character sets and name services would be those of the image, of another version
// than the library that is linked here. Character sets that need a module are thus unknown; nobody
// asks for one.
[[gnu::weak]] void* __libc_dlopen_mode(const char* /*name*/, int /*mode*/) { return nullptr; }
[[gnu::weak]] void* __libc_dlsym(void* /*module*/, const char* /*name*/) { return nullptr; }
[[gnu::weak]] int __libc_dlclose(void* /*module*/) { return 0; }

// Translations of messages: the agent speaks the locale "C".
[[gnu::weak]] char* __dcgettext(const char* /*domain*/, const char* message, int /*category*/) {
  return const_cast<char*>(message);
}
[[gnu::weak]] char* dcgettext(const char* domain, const char* message, int category) {
  return __dcgettext(domain, message, category);
}

}  // extern "C"
