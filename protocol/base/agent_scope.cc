#include "protocol/base/agent_scope.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "protocol/base/percent.h"
#include "protocol/base/text.h"

namespace dunlin {
namespace {

constexpr std::string_view kScheme = "dunlin:";
constexpr std::string_view kAny = "*";

using Part = std::optional<std::string>;

std::string PartText(const Part& part) { return part ? EncodePercent(*part) : std::string(kAny); }

Part ParsePart(std::string_view text) {
  if (text == kAny) return std::nullopt;
  return DecodePercent(text, /*plus_is_space=*/false);
}

bool Matches(const Part& part, std::string_view name) { return !part || *part == name; }

}  // namespace

std::string AgentScope::ToUri() const {
  std::string uri = Join(kScheme, PartText(project), '/', PartText(service));
  if (container) uri += Join('/', PartText(container));
  return uri;
}

Result<AgentScope> AgentScope::Parse(std::string_view uri) {
  auto invalid = [uri] {
    return Error(ErrorCode::kInvalidArgument, Join("\"", uri,
                                                   "\" is not dunlin:PROJECT/SERVICE or "
                                                   "dunlin:PROJECT/SERVICE/CONTAINER"));
  };
  if (!uri.starts_with(kScheme)) return invalid();
  const std::vector<std::string_view> parts = Split(uri.substr(kScheme.size()), '/');
  if (parts.size() < 2 || parts.size() > 3) return invalid();
  // An empty part is more likely a mistake than a name.
  if (std::ranges::any_of(parts, &std::string_view::empty)) return invalid();
  AgentScope scope{ParsePart(parts[0]), ParsePart(parts[1])};
  if (parts.size() == 3) scope.container = ParsePart(parts[2]);
  return scope;
}

bool AgentScope::Covers(std::string_view of_project, std::string_view of_service,
                        std::string_view of_container) const {
  return Matches(project, of_project) && Matches(service, of_service) &&
         Matches(container, of_container);
}

bool SpeaksFor(const PeerIdentity& identity, std::string_view project, std::string_view service,
               std::string_view container) {
  return std::ranges::any_of(identity.uris, [&](const std::string& uri) {
    auto scope = AgentScope::Parse(uri);
    return scope && scope->Covers(project, service, container);
  });
}

}  // namespace dunlin
