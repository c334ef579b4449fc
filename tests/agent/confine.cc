// Runs a command in surroundings as a container gives them:
//
//   dunlin_confine [WORD...] -- COMMAND [ARG...]
//
// clang-format off
//   new-pid         the command is process 1 of a process-id namespace; signals are passed on to it
//   proc            a /proc of that namespace
//   root=FOLDER     the folder is all there is, and read-only
//   user=UID        user and group
//   unprivileged    no capabilities, now or ever, and no way to gain any (no_new_privs)
//   descriptors=N[:HIGHEST]
//                   so many open descriptors besides its standard ones, up to numbers near HIGHEST
//                   (60000), and as many allowed as the machine allows
//   refuse=E:a,b,…  these system calls fail with E (EPERM or ENOSYS); setpipe_sz is fcntl with
//                   F_SETPIPE_SZ only, subreaper prctl with PR_SET_CHILD_SUBREAPER only,
//                   sigaction_of_sigrtmax what its name says
// clang-format on
//
// Exit status 77: this machine does not allow it; standard error says what.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int kNotHere = 77;

[[noreturn]] void GiveUp(const std::string& what) {
  std::fprintf(stderr, "dunlin_confine: %s: %s\n", what.c_str(), std::strerror(errno));
  _exit(kNotHere);
}

void Must(bool done, const std::string& what) {
  if (!done) GiveUp(what);
}

struct SystemCall {
  std::string_view name;
  long number;
};

constexpr SystemCall kSystemCalls[] = {
    {"close_range", SYS_close_range},
    {"pidfd_open", SYS_pidfd_open},
    {"pidfd_send_signal", SYS_pidfd_send_signal},
    {"clone3", SYS_clone3},
    {"statx", SYS_statx},
    {"memfd_create", SYS_memfd_create},
    {"epoll_create1", SYS_epoll_create1},
    {"epoll_pwait", SYS_epoll_pwait},
    {"epoll_pwait2", 441},
    {"eventfd2", SYS_eventfd2},
    {"getdents64", SYS_getdents64},
    {"io_uring_setup", 425},
    {"timerfd_create", SYS_timerfd_create},
    {"signalfd4", SYS_signalfd4},
    {"getrandom", SYS_getrandom},
    {"pwritev2", SYS_pwritev2},
    {"preadv2", SYS_preadv2},
    {"accept4", SYS_accept4},
    {"pipe2", SYS_pipe2},
    {"dup3", SYS_dup3},
    {"prctl", SYS_prctl},
    {"prlimit64", SYS_prlimit64},
    {"sched_getaffinity", SYS_sched_getaffinity},
    {"set_robust_list", SYS_set_robust_list},
    {"rseq", SYS_rseq},
    {"sysinfo", SYS_sysinfo},
    {"fchown", SYS_fchown},
    {"fchmod", SYS_fchmod},
    {"setpgid", SYS_setpgid},
    {"madvise", SYS_madvise},
};

/// A system call that is refused only with this argument.
struct NarrowRule {
  std::string_view name;
  long number;
  unsigned argument;  // counted from 0
  int value;
};

const NarrowRule kNarrowRules[] = {
    {"setpipe_sz", SYS_fcntl, 1, F_SETPIPE_SZ},
    {"subreaper", SYS_prctl, 0, PR_SET_CHILD_SUBREAPER},
    {"sigaction_of_sigrtmax", SYS_rt_sigaction, 0, SIGRTMAX},
};

/// The number of the call is loaded, and is again afterwards.
void RefuseNarrowly(std::vector<sock_filter>& filter, const NarrowRule& rule, unsigned error) {
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(rule.number), 0, 4));
  // The lower half of the argument, which comes first on every machine that we know.
  const auto at =
      static_cast<unsigned>(offsetof(seccomp_data, args) + rule.argument * sizeof(__u64));
  filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at));
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(rule.value), 0, 1));
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error));
  filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
}

/// seccomp(2), from "E:name,name".
void Refuse(std::string_view rule) {
  const std::size_t colon = rule.find(':');
  const unsigned error = rule.substr(0, colon) == "ENOSYS" ? ENOSYS : EPERM;
  std::string_view names = rule.substr(colon + 1);
  std::vector<sock_filter> filter = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    names.remove_prefix(name.size() < names.size() ? name.size() + 1 : name.size());
    const auto* narrow = std::find_if(std::begin(kNarrowRules), std::end(kNarrowRules),
                                      [&](const NarrowRule& one) { return one.name == name; });
    if (narrow != std::end(kNarrowRules)) {
      RefuseNarrowly(filter, *narrow, error);
      continue;
    }
    long number = -1;
    for (const SystemCall& call : kSystemCalls) {
      if (call.name == name) number = call.number;
    }
    if (number < 0) {
      errno = EINVAL;
      GiveUp("unknown system call " + std::string(name));
    }
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
  Must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  Must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
}

/// Every second one only names a file (O_PATH): no call but fcntl and its like sees those.
void OpenDescriptors(int count, int highest) {
  rlimit limit{};
  Must(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
  if (std::FILE* file = std::fopen("/proc/sys/fs/nr_open", "re")) {
    unsigned long most = 0;
    if (std::fscanf(file, "%lu", &most) == 1) {
      const rlimit raised = {most, most};
      // Without privilege the present maximum has to do.
      if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    std::fclose(file);
  }
  limit.rlim_cur = limit.rlim_max;
  Must(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
  const int source = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int name = open("/", O_PATH | O_CLOEXEC);
  const int most = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, static_cast<rlim_t>(highest)));
  for (int i = 0; i < count; ++i) {
    Must(fcntl(i % 2 == 0 ? source : name, F_DUPFD, 3 + i * (most - 3) / count) >= 0, "dup");
  }
}

void BecomeUser(unsigned id) {
  Must(syscall(SYS_setgroups, 0, nullptr) == 0, "setgroups");
  Must(syscall(SYS_setresgid, id, id, id) == 0, "setresgid");
  Must(syscall(SYS_setresuid, id, id, id) == 0, "setresuid");
}

void DropBoundingSet() {
  for (int capability = 0; capability <= 63; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL) {
      GiveUp("cannot drop a capability");
    }
  }
}

void DropPrivileges() {
  Must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct none[2] = {};
  Must(syscall(SYS_capset, &header, none) == 0, "capset");
}

void MakeRoot(const std::string& folder) {
  Must(mount(folder.c_str(), folder.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0, "bind");
  Must(mount(nullptr, folder.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) == 0,
       "read-only");
  Must(chroot(folder.c_str()) == 0 && chdir("/") == 0, "chroot");
}

pid_t child = 0;

/// The command becomes process 1 of a namespace; this process stays as its runtime.
void BecomeProcessOne() {
  Must(unshare(CLONE_NEWPID) == 0, "a process-id namespace");
  for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH}) {
    std::signal(signal, [](int number) {
      if (child > 0) kill(child, number);
    });
  }
  child = fork();
  Must(child >= 0, "fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int signal = 1; signal < 32; ++signal) std::signal(signal, SIG_DFL);
    return;
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

}  // namespace

int main(int argc, char** argv) {
  int at = 1;
  bool new_pid = false;
  bool proc = false;
  bool unprivileged = false;
  std::string root;
  std::string user;
  int descriptors = 0;
  int highest_descriptor = 60000;
  std::vector<std::string> refusals;
  for (; at < argc && std::string_view(argv[at]) != "--"; ++at) {
    const std::string word = argv[at];
    if (word == "new-pid") new_pid = true;
    if (word == "proc") proc = true;
    if (word == "unprivileged") unprivileged = true;
    if (word.starts_with("root=")) root = word.substr(5);
    if (word.starts_with("user=")) user = word.substr(5);
    if (word.starts_with("descriptors=")) {
      descriptors = std::atoi(word.c_str() + 12);
      if (const std::size_t colon = word.find(':'); colon != std::string::npos) {
        highest_descriptor = std::atoi(word.c_str() + colon + 1);
      }
    }
    if (word.starts_with("refuse=")) refusals.push_back(word.substr(7));
  }
  if (at + 1 >= argc) return 64;
  if (proc || !root.empty()) {
    Must(unshare(CLONE_NEWNS) == 0, "a mount namespace");
    Must(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
  }
  if (new_pid) BecomeProcessOne();
  if (proc) Must(mount("proc", "/proc", "proc", 0, nullptr) == 0, "mounting /proc");
  if (descriptors > 0) OpenDescriptors(descriptors, highest_descriptor);
  if (!root.empty()) MakeRoot(root);
  if (unprivileged) DropBoundingSet();
  if (!user.empty()) BecomeUser(static_cast<unsigned>(std::strtoul(user.c_str(), nullptr, 10)));
  if (unprivileged) DropPrivileges();
  for (const std::string& rule : refusals) Refuse(rule);
  execv(argv[at + 1], argv + at + 1);
  GiveUp(argv[at + 1]);
}
