#include "controller/drivers/local_driver.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <thread>
#include <utility>

#include "controller/drivers/container_files.h"
#include "controller/drivers/process_identity.h"
#include "protocol/base/json_writer.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::controller {
namespace {

constexpr char kDefaultPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long a killed agent's keeper may take to write down the end.
constexpr auto kKeeperPatience = 3s;
constexpr auto kKeeperPoll = 5ms;

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

bool IsDirectory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

/// Whether a keeper lives that holds this lock. Asks without taking it.
bool IsLocked(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return false;
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  bool asked = ::fcntl(fd, F_OFD_GETLK, &whole) == 0;
  ::close(fd);
  return asked && whole.l_type != F_UNLCK;
}

/// posix_spawn with the settings of a detached start, wrapped for its two C structures.
class KeeperSpawn {
 public:
  KeeperSpawn(const std::string& log, const std::string& work) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions_, 0, 1);
    posix_spawn_file_actions_addopen(&actions_, 2, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0640);
    posix_spawn_file_actions_addchdir_np(&actions_, work.c_str());
    posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
    posix_spawnattr_init(&attributes_);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~KeeperSpawn() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  KeeperSpawn(const KeeperSpawn&) = delete;
  KeeperSpawn& operator=(const KeeperSpawn&) = delete;

  /// The wait status of the keeper's first process, which ends once the agent runs.
  Result<int> Run(std::vector<std::string> arguments, std::vector<std::string> environment) {
    pid_t pid = 0;
    int error = ::posix_spawn(&pid, arguments[0].c_str(), &actions_, &attributes_,
                              Pointers(arguments).data(), Pointers(environment).data());
    if (error != 0) return ErrnoError(error, Join("cannot start ", arguments[0]));
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
      if (errno != EINTR) return ErrnoError(errno, Join("cannot wait for ", arguments[0]));
    }
    return status;
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

std::string PlanToJson(const ContainerPlan& plan) {
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  out.Field("container", plan.id.text());
  out.Field("deployment", plan.deployment.text());
  out.Field("project", plan.project);
  out.Field("service", plan.service);
  out.Field("address", plan.address);
  out.Key("spec");
  out.Raw(SpecToJson(plan.spec));
  out.EndObject();
  return text + "\n";
}

}  // namespace

std::vector<std::string> LastLinesOf(std::string_view text, std::size_t limit, bool cut) {
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  std::vector<std::string> lines;
  if (text.empty()) return lines;
  auto parts = Split(text, '\n');
  std::size_t first = cut ? 1 : 0;
  if (parts.size() > limit) first = std::max(first, parts.size() - limit);
  for (std::size_t i = first; i < parts.size(); ++i) lines.emplace_back(parts[i]);
  return lines;
}

LocalDriver::LocalDriver(FileSystem& fs, LocalDriverOptions options)
    : fs_(fs), options_(std::move(options)) {}

Result<void> LocalDriver::Create(const ContainerPlan& plan) {
  const std::string& workdir = plan.spec.workdir;
  if (!workdir.empty() && !IsDirectory(workdir)) {
    return Error(ErrorCode::kInvalidArgument,
                 Join("workdir ", workdir, " is not a folder on this machine"));
  }
  const std::string work = Path(plan.id, files::kWork);
  if (auto made = fs_.CreateDirectories(work); !made) return made;
  if (!plan.spec.user.empty() && ::geteuid() == 0) {
    auto ids = Split(plan.spec.user, ':');
    auto uid = ParseInteger<uid_t>(ids[0]).value_or(0);
    auto gid = ids.size() > 1 ? ParseInteger<gid_t>(ids[1]).value_or(uid) : uid;
    if (::chown(work.c_str(), uid, gid) != 0) {
      return ErrnoError(errno, Join("cannot give ", work, " to user ", plan.spec.user));
    }
  }
  // Last: a folder without a plan counts as absent and is made again.
  return WriteFileAtomically(fs_, Path(plan.id, files::kPlan), PlanToJson(plan));
}

std::vector<std::string> LocalDriver::Arguments(const ContainerPlan& plan) const {
  const Spec& spec = plan.spec;
  std::vector<std::string> arguments = {options_.agent,
                                        "--listen",
                                        Join(plan.address, ":", options_.agent_port),
                                        "--project",
                                        plan.project,
                                        "--service",
                                        plan.service,
                                        "--deployment",
                                        plan.deployment.text(),
                                        "--container",
                                        plan.id.text(),
                                        "--stop-signal",
                                        spec.stop.signal,
                                        "--stop-grace",
                                        FormatDuration(spec.stop.grace),
                                        "--passthrough",
                                        "on"};
  auto add = [&arguments](std::string flag, std::string value) {
    arguments.push_back(std::move(flag));
    arguments.push_back(std::move(value));
  };
  if (!options_.collector.empty()) add("--collector", options_.collector);
  if (!options_.tls_ca.empty()) {
    add("--tls-ca", options_.tls_ca);
    add("--tls-cert", options_.tls_cert);
    add("--tls-key", options_.tls_key);
  }
  if (!spec.user.empty()) add("--user", spec.user);
  for (const auto& [name, value] : spec.labels) add("--label", Join(name, "=", value));
  arguments.emplace_back("--");
  arguments.insert(arguments.end(), spec.command.begin(), spec.command.end());
  return arguments;
}

std::vector<std::string> LocalDriver::Environment(const ContainerPlan& plan) {
  // Nothing of the controller's own: its DUNLIN_ variables would configure the agent, and its
  // secrets are not the service's.
  std::map<std::string, std::string> variables;
  const char* path = std::getenv("PATH");
  variables["PATH"] = path != nullptr ? path : kDefaultPath;
  for (const char* name : {"LANG", "TZ"}) {
    if (const char* value = std::getenv(name)) variables[name] = value;
  }
  variables["HOST"] = plan.address;
  if (plan.spec.port != 0) variables["PORT"] = Join(plan.spec.port);
  for (const auto& [name, value] : plan.spec.env) variables[name] = value;
  std::vector<std::string> environment;
  for (const auto& [name, value] : variables) environment.push_back(Join(name, "=", value));
  return environment;
}

Result<void> LocalDriver::Start(const ContainerPlan& plan) {
  const std::string work =
      plan.spec.workdir.empty() ? Path(plan.id, files::kWork) : plan.spec.workdir;
  const std::string log = Path(plan.id, files::kKeeperLog);
  std::vector<std::string> arguments = {options_.keeper, Path(plan.id), "--"};
  for (std::string& argument : Arguments(plan)) arguments.push_back(std::move(argument));
  auto status = KeeperSpawn(log, work).Run(std::move(arguments), Environment(plan));
  if (!status) return std::move(status).error();
  if (*status == 0) return {};
  auto reason = ReadFile(fs_, log);
  std::string detail = reason && !reason->empty() ? *reason : "no reason was given";
  while (!detail.empty() && detail.back() == '\n') detail.pop_back();
  return Error(ErrorCode::kUnavailable, Join("cannot start the agent: ", detail));
}

ContainerState LocalDriver::Inspect(const ContainerId& id) {
  using Presence = Observation::Presence;
  ContainerState state;
  if (!fs_.Exists(Path(id, files::kPlan))) return state;

  // Asked first: a keeper writes `exit` before it lets go of the lock.
  bool kept = IsLocked(Path(id, files::kLock));
  if (auto exit = ReadFile(fs_, Path(id, files::kExit))) {
    state.presence = Presence::kExited;
    std::string_view text = *exit;
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    auto parts = Split(text, ' ');
    if (parts.size() == 2) {
      auto number = ParseInteger<int>(parts[1]);
      (parts[0] == "killed" ? state.signal : state.exit_code) = number;
    }
    return state;
  }
  if (kept) {
    state.presence = Presence::kRunning;
    return state;
  }
  auto text = ReadFile(fs_, Path(id, files::kAgent));
  if (!text) {
    state.presence = Presence::kCreated;
    return state;
  }
  // No keeper and no exit: the keeper was killed, or the machine went down.
  auto process = ParseProcessIdentity(*text);
  bool running = process && IsRunning(*process);
  state.presence = running ? Presence::kRunning : Presence::kExited;
  return state;
}

void LocalDriver::Terminate(const ContainerId& id) {
  auto text = ReadFile(fs_, Path(id, files::kAgent));
  if (!text) return;
  auto process = ParseProcessIdentity(*text);
  if (process && IsRunning(*process)) ::kill(process->pid, SIGTERM);
}

void LocalDriver::Kill(const ContainerId& id) {
  auto text = ReadFile(fs_, Path(id, files::kAgent));
  if (!text) return;
  if (auto process = ParseProcessIdentity(*text)) KillFamily(*process);
}

Result<void> LocalDriver::Remove(const ContainerId& id) {
  // An agent that was killed may have left its process behind.
  Kill(id);
  // The keeper writes into the folder until it ends, moments after its agent.
  auto give_up = std::chrono::steady_clock::now() + kKeeperPatience;
  while (IsLocked(Path(id, files::kLock))) {
    if (std::chrono::steady_clock::now() >= give_up) {
      return Error(ErrorCode::kTimeout, Join("the keeper of ", id.text(), " does not end"));
    }
    std::this_thread::sleep_for(kKeeperPoll);
  }
  // The plan goes first: what is left of the folder then counts as absent.
  if (fs_.Exists(Path(id, files::kPlan))) {
    if (auto removed = fs_.Remove(Path(id, files::kPlan)); !removed) return removed;
  }
  std::error_code error;
  std::filesystem::remove_all(Path(id), error);
  if (error) return ErrnoError(error.value(), Join("cannot remove ", Path(id)));
  return {};
}

std::vector<std::string> LocalDriver::LastLines(const ContainerId& id, std::size_t limit) {
  auto output = ReadFile(fs_, Path(id, files::kOutput));
  if (!output) return {};
  return LastLinesOf(*output, limit, output->size() >= files::kOutputBytes);
}

Result<std::vector<ContainerId>> LocalDriver::List() {
  std::vector<ContainerId> ids;
  if (!fs_.Exists(options_.directory)) return ids;
  auto names = fs_.List(options_.directory);
  if (!names) return std::move(names).error();
  for (std::string& name : *names) {
    if (name.starts_with("ctr_")) ids.emplace_back(std::move(name));
  }
  return ids;
}

}  // namespace dunlin::controller
