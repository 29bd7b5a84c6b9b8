#pragma once

#include <cstdint>
#include <span>

#include "core/base/ids.hpp"
#include "core/base/result.hpp"
#include "core/kv/page_table.hpp"
#include "core/model/hparams.hpp"

namespace troupe {

/// One sequence's share of a step: tokens that follow what its page table
/// holds already. One token in decode, a chunk of the prompt in prefill.
struct batch_row {
  /// Has memory for length() + tokens.size() tokens; the step advances it.
  page_table* table = nullptr;
  std::span<const token_id> tokens;
  /// Logits of the last token.
  bool want_logits = true;
  /// Logits of every token (for likelihoods); includes the last.
  bool want_all_logits = false;
  /// The state of every token behind the last norm (engine::states).
  bool want_states = false;
};

/// Whether a model can compute these rows in a step of up to `max_tokens`.
/// invalid_argument, context_exceeded. REQUIRES: their tables have room.
result<void> check(std::span<const batch_row> batch, const hparams& p,
                   uint32_t max_tokens);

} // namespace troupe
