#include <cstdlib>

// libstdc++'s default handler prints the name of the exception and for that links the demangler.
// Nothing in the agent throws; if something ever does, that is an abort. Defined here, its archive
// member is not taken.
namespace __gnu_cxx {
void __verbose_terminate_handler();
void __verbose_terminate_handler() { std::abort(); }
}  // namespace __gnu_cxx
