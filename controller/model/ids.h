#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/base/clock.h"

namespace dunlin::controller {

/// The name of one record: a prefix that tells the kind, then 26 characters of Crockford's base 32
/// (48 bits of milliseconds, 80 random bits), so that ids sort by age. Kinds are distinct types. An
/// empty id is "none".
template <typename Kind>
class Id {
 public:
  Id() = default;
  explicit Id(std::string text) : text_(std::move(text)) {}

  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }

  friend bool operator==(const Id&, const Id&) = default;
  friend auto operator<=>(const Id&, const Id&) = default;

 private:
  std::string text_;
};

using ProjectId = Id<struct ProjectKind>;        // prj_
using ServiceId = Id<struct ServiceKind>;        // svc_
using DeploymentId = Id<struct DeploymentKind>;  // dpl_
using ContainerId = Id<struct ContainerKind>;    // ctr_

/// A fresh name: `prefix`, then time and randomness as above.
std::string NewIdText(std::string_view prefix, LogTime now);

inline ProjectId NewProjectId(LogTime now) { return ProjectId(NewIdText("prj_", now)); }
inline ServiceId NewServiceId(LogTime now) { return ServiceId(NewIdText("svc_", now)); }
inline DeploymentId NewDeploymentId(LogTime now) { return DeploymentId(NewIdText("dpl_", now)); }
inline ContainerId NewContainerId(LogTime now) { return ContainerId(NewIdText("ctr_", now)); }

}  // namespace dunlin::controller
