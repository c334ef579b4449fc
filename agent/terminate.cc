#include <cstdlib>
#include <exception>

// The handler that libstdc++ installs by default prints the name of the exception and for that
// links the demangler (50 KB). Nothing in the agent throws; if something ever does, that is an
// abort.
namespace __cxxabiv1 {
extern std::terminate_handler __terminate_handler;
std::terminate_handler __terminate_handler = std::abort;
}  // namespace __cxxabiv1
