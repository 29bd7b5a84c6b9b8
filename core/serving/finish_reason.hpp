#pragma once

#include <cstdint>

namespace troupe {

/// Why a sequence ended.
enum class finish_reason : uint8_t {
  none,
  /// An end token or a stop string.
  stop,
  /// max_tokens, or the context is full.
  length,
  /// The client cancelled.
  cancelled,
  /// See the error beside it.
  error,
};

} // namespace troupe
