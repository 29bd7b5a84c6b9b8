#pragma once

#include <cstdint>
#include <span>

#include "core/base/ids.hpp"
#include "core/kv/page_table.hpp"

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
};

} // namespace troupe
