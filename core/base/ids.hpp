#pragma once

#include <cstdint>

namespace troupe {

/// Index into a model's vocabulary. Negative: "none".
using token_id = int32_t;

/// One client request, unique within a cluster's lifetime.
using request_id = uint64_t;

/// One sequence being generated; a request with n choices has n of them.
using seq_id = uint64_t;

/// One prefill or decode node, as the registry numbers them.
using node_id = uint32_t;

/// Which life of a sequence a message belongs to: every placement or move of
/// the sequence increments it, and messages of an older one are dropped.
using epoch_t = uint64_t;

} // namespace troupe
