#pragma once

#include <string_view>

#include "protocol/base/label_set.h"

namespace dunlin::ingest {

/// Severity of an entry: the values of `detected_level`, as Loki and Grafana name them.
enum class Level { kUnknown, kTrace, kDebug, kInfo, kWarn, kError, kCritical, kFatal };
inline constexpr std::size_t kLevels = 8;
std::string_view LevelName(Level level);

/// How much of a line is looked at: levels stand near the beginning, and this runs for every line.
inline constexpr std::size_t kLevelWindow = 256;

/// The level a line states about itself, in one pass over its first kLevelWindow bytes:
/// 1. the value after a key level, lvl, severity or loglevel (JSON, logfmt or "level: warn");
///    numbers are those of pino and bunyan (10 trace ... 60 fatal);
/// 2. else a klog prefix (E0312 ...), or the first whole word that names a level, in any case;
/// 3. else kError when a word ends in Error or Exception, as exception names do; else kUnknown.
Level DetectLevel(std::string_view line);

/// The level that labels state: the first present of level, severity, lvl and their variants. The
/// value of an unknown word is nobody's level: kUnknown.
Level LevelOfLabels(const LabelSet& labels);

}  // namespace dunlin::ingest
