#include "controller/cli/cert_arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "controller/certificates/folder.h"
#include "protocol/base/certificate_role.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::cli {
namespace {

Error Usage(std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); }

/// Leaves `target` as it is when there is no text.
template <typename T>
Result<void> ReadDuration(std::string_view flag, const std::string& text, T& target) {
  if (text.empty()) return {};
  auto duration = ParseDuration(text);
  if (!duration) return std::move(duration).error().Wrap(flag);
  if (*duration < std::chrono::minutes(1)) {
    return Usage(Join(flag, ": ", text, " is less than a minute"));
  }
  target = *duration;
  return {};
}

Result<void> CheckName(const std::string& name) {
  if (name.empty()) return Usage("NAME is missing");
  if (!certificates::IsCertificateName(name)) {
    return Usage(Join("NAME: \"", name,
                      "\" is not up to 64 letters, digits and . _ -, beginning with a letter or "
                      "digit"));
  }
  return {};
}

bool IsRole(std::string_view name) {
  return std::ranges::find(role::kAll, name) != std::end(role::kAll);
}

}  // namespace

CertArguments::CertArguments(CLI::App& parent, Common& common) {
  cert_ = parent.add_subcommand("cert", "Make and renew the certificates of an installation");
  cert_->set_help_flag("--help,-h", "Print this and exit");
  cert_->require_subcommand(0, 1);
  cert_->allow_extras();

  init_ = cert_->add_subcommand("init", "Make a CA: ca.pem and ca.key");
  Declare(*init_, init_command_.folder, common);
  init_->add_option("--name", init_command_.name, "What it calls itself [dunlin CA]")
      ->type_name("TEXT");
  init_->add_option("--valid", init_valid_, "For how long [10y]")->type_name("DURATION");
  init_->add_flag("--force", init_command_.force,
                  "Replace a CA; what it has signed is trusted no longer");

  issue_ = cert_->add_subcommand("issue", "Make a key and a certificate for one program");
  Declare(*issue_, issue_command_.folder, common);
  issue_->add_option("ROLE", issue_command_.role, "agent, collector, controller or metrics")
      ->type_name("");
  issue_->add_option("NAME", issue_command_.name, "Of its files, NAME.pem and NAME.key")
      ->type_name("");
  issue_
      ->add_option("--host", issue_command_.hosts,
                   "Name or address under which it is reached, beside loopback (repeat)")
      ->type_name("HOST")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  CLI::Option* scope[] = {
      issue_->add_option("--project", issue_command_.project,
                         "The agent may call itself this [default]; * for any"),
      issue_->add_option("--service", issue_command_.service, "Likewise [*]"),
      issue_->add_option("--container", issue_command_.container, "Likewise [*]")};
  for (CLI::Option* option : scope) {
    option->type_name("NAME")->each([this](const std::string&) { scoped_ = true; });
  }
  issue_->add_option("--valid", issue_valid_, "For how long [1y]")->type_name("DURATION");
  issue_->add_flag("--force", issue_command_.force, "Replace files of that name");

  renew_ = cert_->add_subcommand("renew", "Make certificates last longer, names and keys kept");
  Declare(*renew_, renew_command_.folder, common);
  renew_->add_option("NAME", renew_command_.names, "Which, or ca")->type_name("");
  renew_->add_flag("--all", all_, "All but the CA");
  renew_->add_option("--within", within_, "Only those that end within this time")
      ->type_name("DURATION");
  renew_->add_option("--valid", renew_valid_, "For how long [as long as before]")
      ->type_name("DURATION");
  renew_->add_flag("--new-key", renew_command_.new_key, "With new keys, too");
  renew_->add_flag("--force", renew_command_.force, "Even what another CA has signed");
}

void CertArguments::Declare(CLI::App& action, std::string& folder, Common& common) {
  action.set_help_flag("--help,-h", "Print this and exit");
  action.add_option("--dir", folder, "Folder of the certificates [certs]")->type_name("DIR");
  action.add_flag("--json", common.json, "Print JSON for programs");
  action.allow_extras();
}

Result<Command> CertArguments::Read() {
  if (cert_->get_subcommands().empty()) {
    return Usage("cert needs one of init, issue, renew");
  }
  const CLI::App* chosen = cert_->get_subcommands().front();
  if (chosen == init_) {
    if (auto read = ReadDuration("--valid", init_valid_, init_command_.valid); !read) {
      return std::move(read).error();
    }
    return Command(std::move(init_command_));
  }
  if (chosen == issue_) {
    CertIssueCommand& issue = issue_command_;
    if (issue.role.empty())
      return Usage("ROLE is missing: agent, collector, controller or metrics");
    if (!IsRole(issue.role)) {
      return Usage(
          Join("ROLE: \"", issue.role, "\" is not one of agent, collector, controller, metrics"));
    }
    if (auto checked = CheckName(issue.name); !checked) return std::move(checked).error();
    if (issue.name == certificates::kAuthorityName) return Usage("NAME: ca is the CA's own");
    if (scoped_ && issue.role != role::kAgent) {
      return Usage("--project, --service and --container are for agents");
    }
    for (const auto& [flag, text] :
         {std::pair("--project", &issue.project), std::pair("--service", &issue.service),
          std::pair("--container", &issue.container)}) {
      if (text->empty()) return Usage(Join(flag, ": an empty name; * is any"));
    }
    if (!issue.hosts.empty() && issue.role == role::kMetrics) {
      return Usage("--host: a metrics certificate only connects, nobody reaches it");
    }
    if (auto read = ReadDuration("--valid", issue_valid_, issue.valid); !read) {
      return std::move(read).error();
    }
    return Command(std::move(issue));
  }
  CertRenewCommand& renew = renew_command_;
  if (renew.names.empty() == !all_) return Usage("give either a NAME or --all");
  for (const std::string& name : renew.names) {
    if (auto checked = CheckName(name); !checked) return std::move(checked).error();
  }
  for (auto read : {ReadDuration("--valid", renew_valid_, renew.valid),
                    ReadDuration("--within", within_, renew.within)}) {
    if (!read) return std::move(read).error();
  }
  return Command(std::move(renew));
}

}  // namespace dunlin::cli
