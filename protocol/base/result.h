#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "protocol/base/check.h"

namespace dunlin {

/// What a caller may branch on; everything else is in the sentence.
enum class ErrorCode {
  kInvalidArgument,   // input that can never be right: a flag, a query, a malformed message
  kNotFound,          // no such file, stream, service
  kAlreadyExists,     // name, port or lock taken
  kUnavailable,       // try again later: peer away, shutting down
  kExhausted,         // a limit is reached: disk, memory, quota
  kCorruption,        // bytes that fail their checksum or break their format
  kIo,                // the operating system refused
  kTimeout,           // a deadline passed
  kCancelled,         // the caller gave up
  kPermissionDenied,  // not allowed
  kUnsupported,       // understood, but not offered here
};

/// The code's name in lower case with underscores, as it appears in logs.
std::string_view ErrorCodeName(ErrorCode code);

/// A code for callers and a sentence for people: "cannot X: cause", lower case, with the path or
/// id.
class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message, int error_number = 0)
      : code_(code), error_number_(error_number), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  /// The errno it was made of, for counters by cause; 0 when it came from elsewhere. Not part of
  /// what makes two errors equal.
  int error_number() const { return error_number_; }
  const std::string& message() const { return message_; }

  /// The same code with "`context`: " in front of the sentence.
  Error Wrap(std::string_view context) &&;
  Error Wrap(std::string_view context) const&;

  friend bool operator==(const Error& a, const Error& b) {
    return a.code_ == b.code_ && a.message_ == b.message_;
  }

 private:
  ErrorCode code_;
  int error_number_;
  std::string message_;
};

/// The one translation of errno: `what` names the attempt ("cannot open /x"), the sentence ends
/// with the cause.
Error ErrnoError(int error_number, std::string_view what);

/// A value or an Error, with the accessor names of std::expected so that it can become an alias of
/// it.
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return *Checked(); }
  const T& value() const& { return *Checked(); }
  T&& value() && { return std::move(*Checked()); }
  T& operator*() & { return *Checked(); }
  const T& operator*() const& { return *Checked(); }
  T&& operator*() && { return std::move(*Checked()); }
  T* operator->() { return Checked(); }
  const T* operator->() const { return Checked(); }
  T value_or(T fallback) && { return has_value() ? std::move(*Checked()) : std::move(fallback); }

  Error& error() & { return *CheckedError(); }
  const Error& error() const& { return *CheckedError(); }
  Error&& error() && { return std::move(*CheckedError()); }

 private:
  T* Checked() {
    Check(has_value(), "value() of a failed Result");
    return std::get_if<0>(&state_);
  }
  const T* Checked() const {
    Check(has_value(), "value() of a failed Result");
    return std::get_if<0>(&state_);
  }
  Error* CheckedError() {
    Check(!has_value(), "error() of a Result that holds a value");
    return std::get_if<1>(&state_);
  }
  const Error* CheckedError() const {
    Check(!has_value(), "error() of a Result that holds a value");
    return std::get_if<1>(&state_);
  }

  std::variant<T, Error> state_;
};

/// Success without a value, or an Error. `return {};` is success.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  Error& error() & { return *CheckedError(); }
  const Error& error() const& { return *const_cast<Result*>(this)->CheckedError(); }
  Error&& error() && { return std::move(*CheckedError()); }

 private:
  Error* CheckedError() {
    Check(!has_value(), "error() of a Result that holds a value");
    return std::get_if<1>(&state_);
  }

  std::variant<std::monostate, Error> state_;
};

}  // namespace dunlin
