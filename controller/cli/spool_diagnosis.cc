#include "controller/cli/spool_diagnosis.h"

#include <cerrno>
#include <string>

#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::cli {
namespace {

using Weight = Finding::Weight;

/// Code of the finding, and the cure, for what a disk says.
struct DiskTrouble {
  std::string_view code;
  std::string_view cure;
};

DiskTrouble TroubleOf(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return {"spool_disk_full",
              "Free space, or raise the quota, where --spool lies, or lower --spool-limit. It goes "
              "on by itself; until then --memory-limit is all that bridges an outage."};
    case EACCES:
    case EPERM:
    case EROFS:
    case EEXIST:
    case ENOTDIR:
      return {"spool_not_writable",
              "The agent's user needs a folder for --spool where it may make files: a volume that "
              "is mounted for writing. It goes on by itself."};
    default:
      return {"spool_failing",
              "Look at the disk where --spool lies, and at the kernel's log. The agent tries again "
              "by itself; until then --memory-limit is all that bridges an outage."};
  }
}

}  // namespace

void ExamineSpool(const AgentView& agent, std::vector<Finding>& findings) {
  if (!agent.spool) return;
  const AgentView::Spool& spool = *agent.spool;
  if (spool.state == "failing") {
    const DiskTrouble trouble = TroubleOf(spool.error_number);
    findings.push_back({Weight::kProblem, std::string(trouble.code),
                        Join("the spool cannot be used, lines wait in memory: ", spool.error),
                        std::string(trouble.cure)});
    return;
  }
  // The process that waits for it is told of already.
  if (spool.state == "full" && !agent.reading_held) {
    findings.push_back(
        {Weight::kProblem, "spool_full",
         Join("the spool is full (", FormatSize(static_cast<std::uint64_t>(spool.bytes)), " of ",
              FormatSize(static_cast<std::uint64_t>(spool.limit_bytes)),
              "), what is new waits in memory"),
         "Let it drain, or give it --spool-limit, well above --memory-limit."});
  }
}

void ExamineAdopted(const AgentView& agent, std::vector<Finding>& findings) {
  if (!agent.adopted) return;
  const AgentView::Adopted& adopted = *agent.adopted;
  // Where its own lines do not get through either, that has been said.
  if (agent.connected && !adopted.current.empty() && !adopted.current_error.empty()) {
    findings.push_back({Weight::kProblem, "adopted_not_moving",
                        Join(adopted.current_lines, " lines that ", adopted.current,
                             " left behind are not moving: ", adopted.current_error),
                        "They are sent in the name of the agent that left them; the collector's "
                        "log (event=agent_refused) says what it does not like."});
  }
  if (!adopted.problem.empty()) {
    findings.push_back(
        {Weight::kProblem, "adopted_unusable",
         Join("what others left in the spool's folder cannot be delivered: ", adopted.problem),
         "The agent's user must be able to read and write it; an agent of the version that wrote "
         "it, or a newer one, can deliver it. It is left as it is."});
  }
  if (adopted.held_spools > 0) {
    findings.push_back(
        {Weight::kNote, "adopted_held",
         Join(adopted.held_spools,
              " other spools of this container's name are held by agents that run"),
         "They are delivered by those, or by this one when those have ended. Two containers of one "
         "name at a time: is that meant?"});
  }
}

}  // namespace dunlin::cli
