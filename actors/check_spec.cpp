#include "actors/check_spec.hpp"

#include <algorithm>

namespace troupe {

bool known_tokens(std::span<const token_id> ids, uint32_t vocab) {
  return std::all_of(ids.begin(), ids.end(), [&](token_id id) {
    return id >= 0 && static_cast<uint32_t>(id) < vocab;
  });
}

result<void> check(const sequence_spec& spec, const hparams& model) {
  if (spec.prompt.empty())
    return fail(errc::invalid_argument, "the prompt is empty");
  if (!known_tokens(spec.prompt, model.vocab)
      || !known_tokens(spec.emitted, model.vocab))
    return fail(errc::invalid_argument,
                "a token id lies outside the vocabulary of "
                    + std::to_string(model.vocab));
  if (spec.prompt.size() > model.context
      || spec.max_tokens > model.context - spec.prompt.size())
    return fail(errc::context_exceeded,
                std::to_string(spec.prompt.size()) + " prompt tokens and "
                    + std::to_string(spec.max_tokens)
                    + " of the answer; the context holds "
                    + std::to_string(model.context));
  if (spec.embed && (spec.max_tokens > 0 || !spec.emitted.empty()))
    return fail(errc::invalid_argument,
                "a sequence that has an answer and is to be embedded");
  if (!spec.embed && spec.emitted.size() >= spec.max_tokens)
    return fail(errc::invalid_argument,
                std::to_string(spec.emitted.size())
                    + " tokens are generated already, of at most "
                    + std::to_string(spec.max_tokens));
  if (spec.cache_salt.size() > max_salt_bytes)
    return fail(errc::invalid_argument, "the cache salt is too long");
  if (!spec.form.is_free() && (spec.embed || spec.end_tokens.empty()))
    return fail(errc::invalid_argument,
                "an answer of a form has to be able to end");
  return validate(spec.sampling, model.vocab);
}

result<void> check(const kv_offer& offer, const sequence_spec& spec) {
  // At most: it may be still growing, and the last token has no KV yet.
  auto tokens = static_cast<uint32_t>(spec.prompt.size() + spec.emitted.size());
  // Who embeds hands nothing over.
  if (spec.embed || offer.seq != spec.seq || offer.epoch != spec.epoch
      || offer.blocks > kv_layout::blocks_for(tokens)
      || offer.blocks + 1 < kv_layout::blocks_for(tokens)
      || offer.max_blocks != kv_layout::blocks_for(spec.max_length()))
    return fail(errc::layout_mismatch,
                "a handoff's offer contradicts its sequence");
  return {};
}

void commit(kv_receiver& receiver, const kv_commit& m,
            const sequence_spec& spec, const hparams& model, time_point now,
            kv_outbox& out) {
  auto& all = m.emitted;
  auto consistent =
      !all.empty() && all.size() >= spec.emitted.size()
      && all.size() < spec.max_tokens
      && std::equal(spec.emitted.begin(), spec.emitted.end(), all.begin())
      && m.tokens + size_t{1} == spec.prompt.size() + all.size()
      && known_tokens(all, model.vocab);
  if (consistent)
    receiver.on(m, now, out);
  else
    receiver.abort(errc::layout_mismatch,
                   "the committed position contradicts the tokens", out);
}

kv_offer offer_of(const sequence_spec& spec, epoch_t epoch, uint32_t tokens,
                  const kv_layout& layout, const std::string& model) {
  auto offer = kv_offer{};
  offer.seq = spec.seq;
  offer.epoch = epoch;
  offer.model = model;
  offer.layout = layout;
  offer.blocks = kv_layout::blocks_for(tokens);
  offer.max_blocks = kv_layout::blocks_for(spec.max_length());
  return offer;
}

} // namespace troupe
