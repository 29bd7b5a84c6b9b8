// A node of the model that computes a prompt for another.

#include <algorithm>

#include "tests/support/core/handoff_world_node.hpp"

namespace troupe::testing::world {

// Offers first, then computes a block a step and sends it on.
void node::advance_prefill(prefill& p) {
  auto tokens = p.of.tokens();
  auto box = kv_outbox{};
  if (!p.sender) {
    if (!p.table.grow(pool_, tokens))
      return;
    p.sender.emplace(offer_for(p.of, tokens, p.of.epoch), c_->timing);
    p.sender->start(c_->now, box);
  } else if (p.pushed < p.table.blocks()) {
    auto last = std::min(tokens, (p.pushed + 1) * kv_block_tokens);
    write_kv(p.table, p.of.seq, p.pushed * kv_block_tokens, last);
    p.table.set_length(last);
    push(*p.sender, p.table, p.pushed++, 1, box);
  } else if (!p.over) {
    p.over = true;
    ++c_->out.prefilled;
    auto index = p.of.emitted.size();
    auto all = tokens_of(p.of.seq, index + 1);
    c_->post(opts_.self, sessions,
             output{p.of.seq,
                    p.of.epoch,
                    static_cast<uint32_t>(index),
                    {all.back()},
                    false});
    if (all.size() < p.of.max_tokens)
      p.sender->finish(tokens, std::move(all), c_->now, box);
    else
      p.sender->abort(errc::unknown_sequence, "", box);
  }
  c_->post(opts_.self, p.to, std::move(box), p.of);
}

void node::settle_prefill(seq_id seq) {
  auto i = prefills_.find(seq);
  if (i == prefills_.end() || !i->second.sender)
    return;
  auto& p = i->second;
  if (p.sender->failed())
    fail(p.of, p.of.emitted.size());
  if (p.sender->failed() || p.sender->done())
    prefills_.erase(i);
}

} // namespace troupe::testing::world
