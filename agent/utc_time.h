#pragma once

#include <ctime>

namespace dunlin::agent {

/// A point of time in UTC as the calendar has it; what gmtime_r does, without asking for the time
/// zone.
std::tm UtcTime(std::time_t time);

}  // namespace dunlin::agent
