// dunlin-keeper DIRECTORY -- PROGRAM [ARG...]
//
// Stands between the controller and one agent, so that a container neither dies with the controller
// nor ends unseen while there is none. Starts the program in a session of its own, keeps the last
// output in memory, waits for the end and writes how it ended into the directory. Exits 0 as soon
// as the program runs, or when this directory's program was started before; otherwise says why on
// standard error.
//
// One of these lives beside every local container: it allocates nothing and links only libc.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "controller/drivers/container_files.h"

namespace {

namespace files = dunlin::controller::files;

/// How long to look for the end of a program whose kernel offers no pidfd.
constexpr int kPollMilliseconds = 200;

const char* directory = nullptr;

[[noreturn]] void Die(const char* attempt) {
  std::fprintf(stderr, "dunlin-keeper: cannot %s: %s\n", attempt, std::strerror(errno));
  std::_Exit(1);
}

struct Path {
  char text[4096];
  explicit Path(const char* name, const char* suffix = "") {
    int size = std::snprintf(text, sizeof text, "%s/%s%s", directory, name, suffix);
    if (size < 0 || static_cast<unsigned>(size) >= sizeof text) {
      errno = ENAMETOOLONG;
      Die("use the directory");
    }
  }
};

bool WriteAll(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    ssize_t put = ::write(fd, bytes, size);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    bytes += put;
    size -= static_cast<std::size_t>(put);
  }
  return true;
}

/// Whole or not at all for whoever reads it. Not synced: after a power failure no process of the
/// folder is left to be told about.
bool Publish(const char* name, const char* first, std::size_t first_size, const char* second = "",
             std::size_t second_size = 0) {
  Path temporary(name, ".tmp");
  Path path(name);
  int fd = ::open(temporary.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return false;
  bool written = WriteAll(fd, first, first_size) && WriteAll(fd, second, second_size);
  ::close(fd);
  return written && ::rename(temporary.text, path.text) == 0;
}

/// The last kOutputBytes of what was written.
class Tail {
 public:
  /// Takes what `fd` has now. False: there will be no more.
  bool ReadFrom(int fd) {
    for (;;) {
      ssize_t got = ::read(fd, bytes_ + end_, sizeof bytes_ - end_);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return errno == EAGAIN;
      if (got == 0) return false;
      end_ += static_cast<std::size_t>(got);
      if (end_ == sizeof bytes_) {
        end_ = 0;
        wrapped_ = true;
      }
    }
  }
  void Save() const {
    if (wrapped_) {
      Publish(files::kOutput, bytes_ + end_, sizeof bytes_ - end_, bytes_, end_);
    } else {
      Publish(files::kOutput, bytes_, end_);
    }
  }

 private:
  char bytes_[files::kOutputBytes];
  std::size_t end_ = 0;
  bool wrapped_ = false;
};

Tail tail;

/// The 22nd field of /proc/self/stat: with the pid and the boot it names a process for good.
unsigned long long OwnStartTicks() {
  char text[1024];
  int fd = ::open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (fd < 0) Die("read /proc/self/stat");
  ssize_t size = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  if (size <= 0) Die("read /proc/self/stat");
  text[size] = '\0';
  const char* at = std::strrchr(text, ')');  // the name before it may hold anything
  for (int field = 2; at != nullptr && field < 22; ++field) at = std::strchr(at + 1, ' ');
  if (at == nullptr) {
    errno = EPROTO;
    Die("read /proc/self/stat");
  }
  return std::strtoull(at, nullptr, 10);
}

void PublishIdentity() {
  char boot_id[64] = {};
  int fd = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ::read(fd, boot_id, sizeof boot_id - 1) <= 0) Die("read the boot id");
  ::close(fd);
  char line[256];
  int size = std::snprintf(line, sizeof line, "%d %llu %d %s", ::getpid(), OwnStartTicks(),
                           ::getsid(0), boot_id);
  if (!Publish(files::kAgent, line, static_cast<std::size_t>(size))) Die("write the process id");
}

[[noreturn]] void RunProgram(char** arguments, int output) {
  PublishIdentity();
  int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) Die("open /dev/null");
  // Errors up to exec still go to the keeper's standard error, which is duplicated out of the way.
  int errors = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (::dup2(null, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0) {
    Die("set up standard streams");
  }
  for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) std::signal(signal, SIG_DFL);
  ::execv(arguments[0], arguments);
  int cause = errno;
  ::unlink(Path(files::kAgent).text);
  ::dup2(errors, STDERR_FILENO);
  std::fprintf(stderr, "dunlin-keeper: cannot execute %s: %s\n", arguments[0],
               std::strerror(cause));
  std::_Exit(127);
}

/// Reads the program's output until it ends; answers its wait status.
int AwaitEnd(pid_t program, int output) {
  int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, program, 0));
  bool open = true;
  for (;;) {
    pollfd watched[2] = {{open ? output : -1, POLLIN, 0}, {pidfd, POLLIN, 0}};
    ::poll(watched, 2, pidfd >= 0 ? -1 : kPollMilliseconds);
    if (open) open = tail.ReadFrom(output);
    int status = 0;
    pid_t ended = ::waitpid(program, &status, WNOHANG);
    if (ended == program) {
      if (open) tail.ReadFrom(output);
      return status;
    }
  }
}

[[noreturn]] void Keep(char** arguments, int started) {
  if (::setsid() < 0) Die("make a session");
  // Whoever ends the session's processes must leave the one that says how they ended.
  for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) std::signal(signal, SIG_IGN);
  int output[2];
  int failed[2];  // closed by a successful exec
  if (::pipe2(output, O_CLOEXEC) != 0 || ::pipe2(failed, O_CLOEXEC) != 0) Die("make a pipe");
  pid_t program = ::fork();
  if (program < 0) Die("fork");
  if (program == 0) RunProgram(arguments, output[1]);
  ::close(output[1]);
  ::close(failed[1]);
  char none;
  while (::read(failed[0], &none, 1) < 0 && errno == EINTR) {
  }
  ::close(failed[0]);
  // A failed exec shows as a removed identity.
  if (::access(Path(files::kAgent).text, F_OK) != 0) {
    ::waitpid(program, nullptr, 0);
    std::_Exit(1);
  }
  if (!WriteAll(started, "k", 1)) Die("report the start");
  ::close(started);
  ::fcntl(output[0], F_SETFL, O_NONBLOCK);
  if (::chdir("/") != 0) Die("leave the working directory");
  int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd : {0, 1, 2}) ::dup2(null, fd);
  ::prctl(PR_SET_NAME, "dunlin-keeper");

  int status = AwaitEnd(program, output[0]);
  tail.Save();
  char line[64];
  int size = WIFSIGNALED(status)
                 ? std::snprintf(line, sizeof line, "killed %d\n", WTERMSIG(status))
                 : std::snprintf(line, sizeof line, "exited %d\n", WEXITSTATUS(status));
  Publish(files::kExit, line, static_cast<std::size_t>(size));
  std::_Exit(0);
}

bool Exists(const char* name) { return ::access(Path(name).text, F_OK) == 0; }

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4 || std::strcmp(argv[2], "--") != 0 || argv[1][0] != '/') {
    std::fprintf(stderr, "usage: dunlin-keeper ABSOLUTE-DIRECTORY -- PROGRAM [ARG...]\n");
    return 2;
  }
  directory = argv[1];
  int lock = ::open(Path(files::kLock).text, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (lock < 0) Die("open the lock");
  // An open-file-description lock: the child below inherits it, the program does not, and others
  // can ask about it without taking it.
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(lock, F_OFD_SETLK, &whole) != 0) {
    if (errno == EAGAIN || errno == EACCES) return 0;  // its keeper lives
    Die("lock the directory");
  }
  if (Exists(files::kAgent) || Exists(files::kExit)) return 0;  // it has run

  int started[2];
  if (::pipe2(started, O_CLOEXEC) != 0) Die("make a pipe");
  pid_t keeper = ::fork();
  if (keeper < 0) Die("fork");
  if (keeper == 0) {
    ::close(started[0]);
    Keep(argv + 3, started[1]);
  }
  ::close(started[1]);
  char answer = 0;
  ssize_t got;
  do {
    got = ::read(started[0], &answer, 1);
  } while (got < 0 && errno == EINTR);
  return got == 1 ? 0 : 1;
}
