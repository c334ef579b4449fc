#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controller/model/deployment.h"

namespace dunlin::controller {

/// The JSON in which lists and evidence lie in the database.
std::string EvidenceToJson(const Evidence& evidence);
std::string ListToJson(const std::vector<std::string>& list);

/// What is not such JSON reads as empty.
Evidence EvidenceFromJson(std::string_view json);
std::vector<std::string> ListFromJson(std::string_view json);

}  // namespace dunlin::controller
