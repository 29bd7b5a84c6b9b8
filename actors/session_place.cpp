#include "actors/session.hpp"
#include "core/kv/layout.hpp"
#include "core/serving/prefix_chain.hpp"

// Where the request of a session is, and where it may go.

namespace troupe {

std::optional<sequence_spec> session_state::next_placement(time_point now) {
  auto epoch = troupe::next_placement(spec().epoch);
  if (!place_.ask(epoch))
    return std::nullopt;
  path_.asks_for_place(now);
  task_->spec.epoch = epoch;
  task_->spec.emitted = answer_.ready();
  return spec();
}

void session_state::placed(placement where, time_point now) {
  where_ = std::move(where);
  auto split = where_->decode != nullptr;
  place_.placed(where_->prefill_id, where_->decode_id, split);
  budget_.placed();
  path_.placed(split, now);
  trail_.placed(*where_, placements(), now);
}

place_request session_state::wish() const {
  auto done = static_cast<uint32_t>(spec().emitted.size());
  auto left = spec().max_tokens > done ? spec().max_tokens - done : 1;
  return {asked().request,
          place_.avoided(),
          {static_cast<uint32_t>(spec().prompt.size()) + done, left},
          version_.version(),
          options().prefix_cache && !spec().embed
              ? prefix_chain(spec().cache_salt, spec().prompt, kv_block_tokens)
              : std::vector<uint64_t>{},
          spec().embed};
}

node_book* session_state::nodes() const {
  return tracing::mode_now() == 0 ? options().nodes.get() : nullptr;
}

bool session_state::moved(const sequence_moved& m, time_point now) {
  if (!where_ || m.seq != spec().seq || !same_placement(m.epoch, spec().epoch))
    return false;
  auto from = place_.held_by();
  if (place_.moved(m.node, m.epoch)) {
    trail_.migrated(from, m.node, now);
    holder_ = m.holder;
  }
  return true;
}

std::optional<place_part>
session_state::part_of(const caf::actor_addr& peer) const {
  if (!where_)
    return std::nullopt;
  if (holder_ && holder_ == peer)
    return place_part::holder;
  if (where_->decode && where_->decode == peer)
    return place_part::decode;
  if (where_->prefill == peer)
    return place_part::prefill;
  return std::nullopt;
}

bool session_state::lost(const caf::actor_addr& peer, time_point now) {
  auto part = part_of(peer);
  if (!part)
    return false;
  auto why = place_.lost(*part, answer_.has_gap());
  if (why)
    trail_.failed_over(place_.avoided().back(), answer_.ready().size(), *why,
                       now);
  return why.has_value();
}

} // namespace troupe
