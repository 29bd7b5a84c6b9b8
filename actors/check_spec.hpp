#pragma once

#include <span>

#include "actors/protocol/messages.hpp"
#include "core/base/result.hpp"
#include "core/kv/handoff.hpp"
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

/// Gives a commit to its receiver, unless its position contradicts what the
/// sequence said of itself: these numbers index the prompt and the KV.
void commit(kv_receiver& receiver, const kv_commit& m,
            const sequence_spec& spec, const hparams& model, time_point now,
            kv_outbox& out);

/// The offer of a sequence of which `tokens` tokens have KV, in `epoch`.
kv_offer offer_of(const sequence_spec& spec, epoch_t epoch, uint32_t tokens,
                  const kv_layout& layout, const std::string& model);

} // namespace troupe
