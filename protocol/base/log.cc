#include "protocol/base/log.h"

#include <unistd.h>

#include <atomic>

#include "protocol/base/clock.h"
#include "protocol/base/non_blocking_writer.h"
#include "protocol/base/rfc3339.h"

namespace dunlin::log {
namespace {

std::atomic<Level> minimum_level{Level::kInfo};
std::atomic<int> descriptor{STDERR_FILENO};
std::atomic<const char*> program_data{"dunlin"};
std::atomic<std::size_t> program_size{6};

std::string_view LevelName(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "unknown";
}

bool NeedsQuotes(std::string_view value) {
  if (value.empty()) return true;
  for (char c : value) {
    auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || c == '"' || c == '=' || c == '\\' || byte == 0x7F) return true;
  }
  return false;
}

}  // namespace

void AppendField(std::string& out, std::string_view key, std::string_view value) {
  out += key;
  out.push_back('=');
  if (!NeedsQuotes(value)) {
    out += value;
    return;
  }
  out.push_back('"');
  for (char c : value) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < ' ' || byte == 0x7F) {
      out += "\\x";
      AppendHex(out, std::string_view(&c, 1));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void Write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  if (level < minimum_level.load(std::memory_order_relaxed)) return;
  std::string line;
  AppendField(line, "time", FormatRfc3339(SystemClock().Now()));
  line.push_back(' ');
  AppendField(line, "level", LevelName(level));
  line.push_back(' ');
  AppendField(line, "program", std::string_view(program_data.load(), program_size.load()));
  line.push_back(' ');
  AppendField(line, "event", event);
  for (const Field& field : fields) {
    line.push_back(' ');
    AppendField(line, field.key, field.value);
  }
  line.push_back('\n');
  [[maybe_unused]] auto written = NonBlockingWriter(Descriptor()).Write(line);
}

void SetLevel(Level level) { minimum_level.store(level, std::memory_order_relaxed); }

void SetDescriptor(int fd) { descriptor.store(fd); }

int Descriptor() { return descriptor.load(); }

void SetProgram(std::string_view name) {
  program_data.store(name.data());
  program_size.store(name.size());
}

}  // namespace dunlin::log
