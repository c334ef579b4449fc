#include "protocol/base/environment.h"

#include <string.h>
#include <unistd.h>

namespace dunlin {
namespace {

char* no_variables[] = {nullptr};
char** detached = nullptr;  // the children's, once this process has none

char** Variables() { return detached != nullptr ? detached : environ; }

bool IsNamed(std::string_view variable, std::string_view name) {
  return variable.size() > name.size() && variable.starts_with(name) &&
         variable[name.size()] == '=';
}

}  // namespace

char* const* EnvironmentForChildren() { return Variables(); }

std::optional<std::string_view> VariableForChildren(std::string_view name) {
  for (char* const* variable = Variables(); *variable != nullptr; ++variable) {
    if (IsNamed(*variable, name)) return std::string_view(*variable).substr(name.size() + 1);
  }
  return std::nullopt;
}

void EraseVariable(std::string_view name) {
  char** kept = Variables();
  for (char** variable = kept; *variable != nullptr; ++variable) {
    if (IsNamed(*variable, name)) {
      explicit_bzero(*variable, strlen(*variable));
    } else {
      *kept++ = *variable;
    }
  }
  *kept = nullptr;
}

void DetachEnvironment() {
  detached = environ;
  environ = no_variables;
}

}  // namespace dunlin
