#pragma once

#include <span>

#include "actors/protocol/messages.hpp"
#include "core/base/result.hpp"
#include "core/kv/handoff_messages.hpp"
#include "core/model/hparams.hpp"

namespace troupe {

/// Whether all of these are in the vocabulary.
bool known_tokens(std::span<const token_id> ids, uint32_t vocab);

/// Checks what a node relies on when it runs a sequence: one whose tokens or
/// length the engine refuses would fail the batch it is part of.
/// invalid_argument or context_exceeded.
result<void> check(const sequence_spec& spec, const hparams& model);

/// Checks that an offer asks for the blocks that its sequence needs, no more
/// and no less. layout_mismatch.
result<void> check(const kv_offer& offer, const sequence_spec& spec);

/// Whether a committed position agrees with what the sequence said of itself:
/// these numbers index the prompt and the KV.
bool consistent(const kv_commit& commit, const sequence_spec& spec,
                const hparams& model);

} // namespace troupe
