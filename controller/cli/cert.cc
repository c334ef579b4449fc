#include <algorithm>
#include <optional>
#include <utility>

#include "controller/certificates/authority.h"
#include "controller/certificates/folder.h"
#include "controller/cli/cert_advice.h"
#include "controller/cli/commands.h"
#include "protocol/base/agent_scope.h"
#include "protocol/base/certificate_role.h"
#include "protocol/base/json_writer.h"
#include "protocol/base/rfc3339.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::cli {
namespace {

using certificates::Authority;
using certificates::Content;
using certificates::Folder;
using certificates::kAuthorityName;
using certificates::Pair;
using certificates::Validity;

/// A certificate is good from a little before it is made: clocks of other machines may be behind.
constexpr std::chrono::hours kBackdated(1);

std::chrono::sys_seconds Now(const Context& context) {
  return std::chrono::floor<std::chrono::seconds>(context.clock.Now());
}

Validity ValidFor(const Context& context, std::chrono::nanoseconds time) {
  const auto now = Now(context);
  return {now - kBackdated, now + std::chrono::floor<std::chrono::seconds>(time)};
}

/// Nothing outlives its authority: it would end with it all the same, only unannounced.
Validity Within(Validity validity, const Authority& authority) {
  validity.not_after = std::min(validity.not_after, authority.content().validity.not_after);
  return validity;
}

std::string DayOf(std::chrono::sys_seconds time) { return FormatRfc3339(time).substr(0, 10); }

std::string NamesOf(const Content& content) {
  std::string text;
  for (const auto* names : {&content.dns_names, &content.ip_addresses, &content.uris}) {
    for (const std::string& name : *names) text += Join(text.empty() ? "" : ", ", name);
  }
  return text;
}

ExitStatus Refuse(const Context& context, const Error& error) {
  const bool usage = error.code() == ErrorCode::kInvalidArgument;
  return Report(context,
                {usage ? ExitStatus::kUsage : ExitStatus::kFailed, error.message(), "", false});
}

/// Opens a folder that holds an authority, or says how to make one.
Result<Folder> OpenFolder(const std::string& path) {
  auto folder = Folder::Open(PosixFileSystem(), path);
  if (folder && folder->Has(kAuthorityName)) return folder;
  if (!folder && folder.error().code() != ErrorCode::kNotFound) return folder;
  return Error(ErrorCode::kNotFound,
               Join("there is no CA in ", path, ": dunlin cert init --dir ", path, " makes one"));
}

/// The authority, which has to be good still.
Result<Authority> ReadAuthority(const Context& context, const Folder& folder) {
  auto authority = folder.ReadAuthority();
  if (authority && authority->content().validity.not_after <= Now(context)) {
    return Error(ErrorCode::kUnavailable,
                 Join("the CA ended on ", DayOf(authority->content().validity.not_after),
                      ": dunlin cert renew ca makes it last longer"));
  }
  return authority;
}

/// One line, or one object, about a certificate that was written.
void Announce(const Context& context, const Folder& folder, std::string_view name,
              const Content& content, bool with_key) {
  const std::string certificate = folder.CertificatePath(name);
  if (context.common.json) {
    std::string line;
    JsonWriter json(line);
    json.BeginObject();
    json.Field("name", name);
    json.Field("certificate", certificate);
    json.Field("key", folder.KeyPath(name));
    json.Field("new_key", with_key);
    json.Field("ca", folder.CertificatePath(kAuthorityName));
    json.Field("role", content.role);
    json.Field("not_after", FormatRfc3339(content.validity.not_after));
    json.EndObject();
    context.terminal.Print(line + "\n");
    return;
  }
  const std::string names = NamesOf(content);
  context.terminal.Print(Join(certificate, ": ", content.role.empty() ? "CA" : content.role, " \"",
                              content.common_name, "\"", names.empty() ? "" : ", ", names,
                              ", good until ", DayOf(content.validity.not_after), "\n"));
  if (with_key) {
    context.terminal.Print(Join(folder.KeyPath(name), ": its private key\n"));
  }
}

Content ContentOf(const CertIssueCommand& command) {
  Content content;
  content.common_name = command.name;
  content.role = command.role;
  content.for_clients = command.role != role::kCollector;
  content.for_servers = command.role != role::kMetrics;
  if (content.for_servers) {
    content.dns_names = {"localhost"};
    content.ip_addresses = {"127.0.0.1", "::1"};
  }
  for (const std::string& host : command.hosts) {
    // An address has colons, or ends in a digit, which no top-level domain does (RFC 1123, 2.1).
    const bool address = host.find(':') != std::string::npos ||
                         (!host.empty() && host.back() >= '0' && host.back() <= '9' &&
                          host.find_first_not_of("0123456789.") == std::string::npos);
    auto& names = address ? content.ip_addresses : content.dns_names;
    if (std::find(names.begin(), names.end(), host) == names.end()) names.push_back(host);
  }
  if (command.role == role::kAgent) {
    auto part = [](const std::string& name) {
      return name == "*" ? std::nullopt : std::optional(name);
    };
    content.uris = {
        AgentScope{part(command.project), part(command.service), part(command.container)}.ToUri()};
  }
  return content;
}

/// A certificate with the names of the old one, for `validity`.
Result<void> RenewOne(const Context& context, const CertRenewCommand& command, Folder& folder,
                      const Authority& authority, const std::string& name) {
  auto pem = folder.ReadCertificate(name);
  if (!pem) return std::move(pem).error();
  auto content = certificates::ReadCertificate(*pem);
  if (!content) return std::move(content).error().Wrap(folder.CertificatePath(name));
  const Validity before = content->validity;
  if (command.within && before.not_after > Now(context) + *command.within) return {};
  const bool is_authority = name == kAuthorityName;
  if (!is_authority && !command.force && !authority.HasSigned(*pem)) {
    return Error(ErrorCode::kPermissionDenied,
                 Join("the CA in this folder has not signed ", folder.CertificatePath(name),
                      ": --force renews it all the same"));
  }
  const std::chrono::nanoseconds length =
      command.valid ? *command.valid : before.not_after - before.not_before - kBackdated;
  content->validity = ValidFor(context, length);
  if (is_authority) {
    auto renewed = authority.Renew(content->validity);
    if (!renewed) return std::move(renewed).error();
    if (auto written = folder.WriteCertificate(name, renewed->pem().certificate); !written) {
      return written;
    }
  } else {
    content->validity = Within(content->validity, authority);
    std::string key;
    if (!command.new_key) {
      auto read = folder.ReadKey(name);
      if (!read) return std::move(read).error().Wrap("--new-key makes another key");
      key = *std::move(read);
    }
    auto issued = authority.Issue(*content, std::move(key));
    if (!issued) return std::move(issued).error().Wrap(folder.CertificatePath(name));
    auto written = command.new_key ? folder.Write(name, *issued)
                                   : folder.WriteCertificate(name, issued->certificate);
    if (!written) return written;
  }
  Announce(context, folder, name, *content, command.new_key);
  return {};
}

}  // namespace

ExitStatus RunCertInit(const Context& context, const CertInitCommand& command) {
  auto folder = Folder::Create(PosixFileSystem(), command.folder);
  if (!folder) return Refuse(context, folder.error());
  if (folder->Has(kAuthorityName) && !command.force) {
    return Refuse(
        context, Error(ErrorCode::kAlreadyExists,
                       Join("there is a CA in ", command.folder,
                            " already: dunlin cert renew ca makes it last longer; --force replaces "
                            "it, and nobody trusts what it has signed any more")));
  }
  auto authority = Authority::Create(command.name, ValidFor(context, command.valid));
  if (!authority) return Refuse(context, authority.error());
  if (auto written = folder->Write(kAuthorityName, authority->pem()); !written) {
    return Refuse(context, written.error());
  }
  Announce(context, *folder, kAuthorityName, authority->content(), /*with_key=*/true);
  if (!context.common.json) {
    const std::string where = command.folder == "certs" ? "" : Join(" --dir ", command.folder);
    context.terminal.Print(Join("\nKeep ", folder->KeyPath(kAuthorityName),
                                " here: whoever has it can be anybody. Next:\n",
                                "  dunlin cert issue collector NAME --host HOST", where, "\n",
                                "  dunlin cert issue agent NAME --project PROJECT", where, "\n"));
  }
  return ExitStatus::kOk;
}

ExitStatus RunCertIssue(const Context& context, const CertIssueCommand& command) {
  auto folder = OpenFolder(command.folder);
  if (!folder) return Refuse(context, folder.error());
  if (folder->Has(command.name) && !command.force) {
    return Refuse(context, Error(ErrorCode::kAlreadyExists,
                                 Join(folder->CertificatePath(command.name),
                                      " or its key exists already: dunlin cert renew ",
                                      command.name, " makes it last longer; --force replaces it")));
  }
  auto authority = ReadAuthority(context, *folder);
  if (!authority) return Refuse(context, authority.error());
  Content content = ContentOf(command);
  content.validity = Within(ValidFor(context, command.valid), *authority);
  auto issued = authority->Issue(content);
  if (!issued) return Refuse(context, issued.error());
  if (auto written = folder->Write(command.name, *issued); !written) {
    return Refuse(context, written.error());
  }
  Announce(context, *folder, command.name, content, /*with_key=*/true);
  if (!context.common.json) {
    context.terminal.Print("\n" + AdviceFor(command.role, {folder->CertificatePath(kAuthorityName),
                                                           folder->CertificatePath(command.name),
                                                           folder->KeyPath(command.name)}));
  }
  return ExitStatus::kOk;
}

ExitStatus RunCertRenew(const Context& context, const CertRenewCommand& command) {
  auto folder = OpenFolder(command.folder);
  if (!folder) return Refuse(context, folder.error());
  std::vector<std::string> names = command.names;
  if (names.empty()) {
    auto all = folder->Names();
    if (!all) return Refuse(context, all.error());
    names = *std::move(all);
  }
  // The authority first: what is renewed after it may last longer.
  std::stable_partition(names.begin(), names.end(),
                        [](const std::string& name) { return name == kAuthorityName; });
  ExitStatus status = ExitStatus::kOk;
  for (const std::string& name : names) {
    auto authority =
        name == kAuthorityName ? folder->ReadAuthority() : ReadAuthority(context, *folder);
    auto renewed = authority ? RenewOne(context, command, *folder, *authority, name)
                             : Result<void>(authority.error());
    // The others are not to end because of this one.
    if (!renewed) status = Refuse(context, renewed.error());
  }
  return status;
}

}  // namespace dunlin::cli
