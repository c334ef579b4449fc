#pragma once

#include "controller/cli/client.h"
#include "controller/cli/command.h"

namespace dunlin::cli {

// One command each: asks the servers, prints, and says what to exit with. Main thread.

ExitStatus RunDeploy(const Context& context, const DeployCommand& command);
ExitStatus RunStatus(const Context& context, const StatusCommand& command);
ExitStatus RunQuery(const Context& context, const QueryCommand& command);
ExitStatus RunLogs(const Context& context, const LogsCommand& command);
ExitStatus RunDoctor(const Context& context, const DoctorCommand& command);

// These ask nobody: they make files.
ExitStatus RunCertInit(const Context& context, const CertInitCommand& command);
ExitStatus RunCertIssue(const Context& context, const CertIssueCommand& command);
ExitStatus RunCertRenew(const Context& context, const CertRenewCommand& command);

}  // namespace dunlin::cli
