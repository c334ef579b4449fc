#include "protocol/base/environment.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

/// The environment of this process is replaced while it lives.
class Variables {
 public:
  explicit Variables(std::vector<std::string> variables) : strings_(std::move(variables)) {
    for (std::string& variable : strings_) pointers_.push_back(variable.data());
    pointers_.push_back(nullptr);
    environ = pointers_.data();
  }
  ~Variables() { environ = before_; }
  Variables(const Variables&) = delete;
  Variables& operator=(const Variables&) = delete;

  const std::string& bytes(std::size_t i) const { return strings_[i]; }

 private:
  std::vector<std::string> strings_;
  std::vector<char*> pointers_;
  char** before_ = environ;
};

std::vector<std::string> SeenByChildren() {
  std::vector<std::string> seen;
  for (char* const* v = EnvironmentForChildren(); *v != nullptr; ++v) seen.emplace_back(*v);
  return seen;
}

TEST_CASE("an erased variable is gone and its bytes are zero, each time it is there", "[base]") {
  Variables variables({"A=1", "SECRET=abc", "SECRETS=kept", "SECRET=again", "B=2"});
  EraseVariable("SECRET");
  CHECK(SeenByChildren() == std::vector<std::string>{"A=1", "SECRETS=kept", "B=2"});
  CHECK(variables.bytes(1) == std::string(10, '\0'));
  CHECK(variables.bytes(3) == std::string(12, '\0'));
  CHECK(getenv("SECRET") == nullptr);
}

TEST_CASE("the value of a variable, whatever its neighbours are called", "[base]") {
  Variables variables({"PATHS=/a", "PATH", "PATH=/b", "PATH=/c", "EMPTY="});
  CHECK(VariableForChildren("PATH") == "/b");
  CHECK(VariableForChildren("EMPTY") == "");
  CHECK_FALSE(VariableForChildren("PAT"));
  CHECK_FALSE(VariableForChildren("OTHER"));
}

TEST_CASE("a detached environment is still there for children, and only for them", "[base]") {
  // For good, so in a process of its own.
  pid_t pid = fork();
  if (pid == 0) {
    Variables variables({"PATH=/b", "SECRET=abc", "TZ=:/dev/zero"});
    DetachEnvironment();
    EraseVariable("SECRET");
    const bool good = getenv("TZ") == nullptr && *environ == nullptr &&
                      SeenByChildren() == std::vector<std::string>{"PATH=/b", "TZ=:/dev/zero"} &&
                      VariableForChildren("PATH") == "/b" && variables.bytes(1)[0] == '\0';
    _exit(good ? 0 : 1);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  CHECK(status == 0);
}

}  // namespace
}  // namespace dunlin
