#include "tests/support/core/handoff_world_session.hpp"

namespace troupe::testing::world {

session::session(context& c, seq_id seq, uint32_t prompt, uint32_t max_tokens)
    : c_(&c) {
  spec_.seq = seq;
  spec_.prompt = prompt;
  spec_.max_tokens = max_tokens;
}

// -- placement ----------------------------------------------------------------

void session::place(actor prefill, actor decode) {
  c_->out.placed_again += placements_++ > 0;
  spec_.epoch = next_placement(spec_.epoch);
  spec_.emitted = stream_.ready();
  decoding_ = false;
  held_since_ = spec_.epoch;
  where_ = placed{prefill, decode};
  c_->watch(sessions, prefill);
  if (decode != 0)
    c_->watch(sessions, decode);
  c_->post(sessions, prefill, job{spec_, decode});
}

bool session::lost(actor peer) const {
  if (!where_)
    return false;
  if (holder_ != 0)
    return holder_ == peer;
  if (where_->decode != 0 && where_->decode == peer)
    return true;
  if (where_->prefill != peer)
    return false;
  return where_->decode == 0 || !decoding_ || stream_.has_gap();
}

// -- what nodes say -----------------------------------------------------------

void session::receive(const envelope& e) {
  if (auto* o = std::get_if<output>(&e.what))
    take(*o);
  else if (auto* m = std::get_if<moved>(&e.what))
    take(*m, e.from);
  else if (std::holds_alternative<down>(e.what) && lost(e.from))
    leave();
}

void session::take(const output& o) {
  if (ended_)
    return;
  auto current = same_placement(o.epoch, spec_.epoch);
  if (o.failed) {
    if (current && where_)
      leave();
    return;
  }
  if (current && o.index > spec_.emitted.size())
    decoding_ = true;
  stream_.accept(o.index, o.tokens);
  if (stream_.ready().size() >= spec_.max_tokens) {
    ++c_->out.finished;
    end();
  }
}

void session::take(const moved& m, actor from) {
  if (!where_ || !same_placement(m.epoch, spec_.epoch))
    return c_->post(sessions, from, cancel{m.seq, last_move(m.epoch)});
  if (m.epoch <= held_since_)
    return;
  held_since_ = m.epoch;
  holder_ = from;
  c_->watch(sessions, from);
}

// -- ends ---------------------------------------------------------------------

// Frees the nodes.
void session::leave() {
  if (!where_)
    return;
  if (!c_->has(model_bug::no_cancel))
    for (auto to : std::set{where_->prefill, where_->decode, holder_})
      if (to != 0)
        c_->post(sessions, to, cancel{spec_.seq, last_move(spec_.epoch)});
  where_.reset();
  holder_ = 0;
}

void session::end() {
  ended_ = true;
  ++ends_;
  leave();
}

void session::cancelled() {
  if (ended_)
    return;
  was_cancelled_ = true;
  ++c_->out.cancelled;
  end();
}

} // namespace troupe::testing::world
