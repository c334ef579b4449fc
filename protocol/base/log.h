#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "protocol/base/text.h"

namespace dunlin::log {

/// error needs a person, warn is degraded service, info is rare, debug is off by default.
enum class Level { kDebug, kInfo, kWarn, kError };

struct Field {
  std::string_view key;
  std::string value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  template <std::integral T>
  Field(std::string_view k, T v) : key(k) {
    AppendInteger(value, v);
  }
};

/// Writes one logfmt line to standard error in one write(2): time, level, program, event and the
/// fields, values quoted where needed. Waits neither for a lock nor for a reader and never fails:
/// what cannot be written is lost. Any thread.
void Write(Level level, std::string_view event, std::initializer_list<Field> fields = {});

inline void Debug(std::string_view event, std::initializer_list<Field> fields = {}) {
  Write(Level::kDebug, event, fields);
}
inline void Info(std::string_view event, std::initializer_list<Field> fields = {}) {
  Write(Level::kInfo, event, fields);
}
inline void Warn(std::string_view event, std::initializer_list<Field> fields = {}) {
  Write(Level::kWarn, event, fields);
}
inline void Fail(std::string_view event, std::initializer_list<Field> fields = {}) {
  Write(Level::kError, event, fields);
}

/// Lines below `level` are not written. Default kInfo.
void SetLevel(Level level);

/// Where lines go instead of standard error; stays open.
void SetDescriptor(int fd);
int Descriptor();

/// The program's name in every line; a string with static lifetime.
void SetProgram(std::string_view name);

/// Appends key=value in logfmt, quoting and escaping the value where it needs it.
void AppendField(std::string& out, std::string_view key, std::string_view value);

}  // namespace dunlin::log
