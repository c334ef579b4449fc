#pragma once

#include "controller/state/database.h"

namespace dunlin::controller {

/// The newest schema this program knows; the number is the file's user_version.
inline constexpr int kSchemaVersion = 1;

/// Checks the file's integrity and brings it to kSchemaVersion, one transaction per version.
/// Errors: kCorruption; kUnsupported when a newer program wrote it.
Result<void> PrepareSchema(Database& database);

}  // namespace dunlin::controller
