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

/// One version of the model, as the model manager numbers them; 0: none. Never
/// given to another one. KV and cached answers belong to one version.
using version_id = uint32_t;

/// Which life of a sequence a message belongs to: every placement and every
/// move of the sequence makes a greater one, and messages of an older one are
/// dropped. The upper half counts placements of the request, from 1; the lower
/// half moves of the sequence within one.
using epoch_t = uint64_t;

constexpr epoch_t next_placement(epoch_t e) {
  return ((e >> 32) + 1) << 32;
}
constexpr epoch_t next_move(epoch_t e) {
  return e + 1;
}
/// The greatest epoch of the same placement.
constexpr epoch_t last_move(epoch_t e) {
  return e | 0xffffffffu;
}
/// Whether the sequence has moved since it was placed.
constexpr bool has_moved(epoch_t e) {
  return (e & 0xffffffffu) != 0;
}
constexpr bool same_placement(epoch_t a, epoch_t b) {
  return a >> 32 == b >> 32;
}

} // namespace troupe
