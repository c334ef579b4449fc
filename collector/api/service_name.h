#pragma once

#include <string_view>

#include "protocol/base/label_set.h"

namespace dunlin::api {

/// The label by which Loki's clients list services. It is not stored: a stream without its own has
/// the value of the first label it has among service, app, container and their relatives, else
/// "unknown_service".
inline constexpr std::string_view kServiceName = "service_name";

std::string_view ServiceNameOf(const LabelSet& stream);

/// The stream's labels with `service_name` among them.
LabelSet WithServiceName(const LabelSet& stream);

/// The stream's label as the API answers it: stored, or the alias above.
std::string_view LabelOf(const LabelSet& stream, std::string_view name);

}  // namespace dunlin::api
