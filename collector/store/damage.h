#pragma once

#include "protocol/base/result.h"

namespace dunlin::store {

/// What a failure to read a file says about the file.
enum class ReadFailure {
  kDamaged,    // its bytes are wrong or it is gone: nothing brings them back
  kNewer,      // a newer program wrote it, and this one must not decide about it
  kResources,  // too few descriptors or too little memory: no file would fare better
  kNow,        // anything else, such as a bad cable or a wrong owner: it may be read another day
};

/// Only kDamaged may move a file aside or write it off.
inline ReadFailure FailureOf(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kCorruption:
    case ErrorCode::kNotFound:
      return ReadFailure::kDamaged;
    case ErrorCode::kUnsupported:
      return ReadFailure::kNewer;
    case ErrorCode::kExhausted:
      return ReadFailure::kResources;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kUnavailable:
    case ErrorCode::kIo:
    case ErrorCode::kTimeout:
    case ErrorCode::kCancelled:
    case ErrorCode::kPermissionDenied:
      return ReadFailure::kNow;
  }
  return ReadFailure::kNow;
}

}  // namespace dunlin::store
