#pragma once

#include <optional>
#include <string_view>

/// The environment belongs to the programs this process starts; here it only says what to do.
/// Before the first thread is started.
namespace dunlin {

/// The environment for children, ended by null as environ is: what this process was started with,
/// without what EraseVariable took out.
char* const* EnvironmentForChildren();
/// The value that children see; valid for the life of the process.
std::optional<std::string_view> VariableForChildren(std::string_view name);

/// Removes every variable of that name and overwrites it with zeros where it lies, which is where
/// /proc/PID/environ shows it: for secrets.
void EraseVariable(std::string_view name);

/// Empties the environment of this process, so that no library of ours takes settings from it that
/// are meant for the program (UV_THREADPOOL_SIZE, RES_OPTIONS, TZ, …). Children see no difference.
/// Once.
void DetachEnvironment();

}  // namespace dunlin
