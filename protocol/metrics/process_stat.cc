#include "protocol/metrics/process_stat.h"

#include <vector>

#include "protocol/base/text.h"

namespace dunlin::metrics {

std::optional<ProcessStat> ParseProcessStat(std::string_view stat) {
  // The name is field 2, in parentheses and otherwise unescaped: fields count from its last ')'.
  std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 > stat.size()) return std::nullopt;
  std::string_view rest = stat.substr(name_end + 2);
  while (!rest.empty() && rest.back() == '\n') rest.remove_suffix(1);
  std::vector<std::string_view> fields = Split(rest, ' ');
  constexpr std::size_t kFirst = 3;  // number of fields[0] in proc(5)
  auto field = [&](std::size_t number) -> std::optional<std::uint64_t> {
    if (number - kFirst >= fields.size()) return std::nullopt;
    return ParseInteger<std::uint64_t>(fields[number - kFirst]);
  };
  auto user = field(14);
  auto system = field(15);
  auto threads = field(20);
  auto start = field(22);
  auto size = field(23);
  auto resident = field(24);
  if (!user || !system || !threads || !start || !size || !resident) return std::nullopt;
  return ProcessStat{*user + *system, *threads, *start, *size, *resident};
}

std::optional<std::uint64_t> ParseKeyedNumber(std::string_view text, std::string_view key) {
  for (std::string_view line : Split(text, '\n')) {
    if (!line.starts_with(key)) continue;
    std::string_view number = Trim(line.substr(key.size()));
    return ParseInteger<std::uint64_t>(number.substr(0, number.find(' ')));
  }
  return std::nullopt;
}

}  // namespace dunlin::metrics
