#include <algorithm>

#include "actors/check_spec.hpp"
#include "actors/decode_node.hpp"

namespace troupe {

// -- handoff ------------------------------------------------------------------

// Only the source itself may fill, commit or abort what it offered.
decode_state::incoming_map::iterator
decode_state::find(seq_id seq, epoch_t epoch, const kv_source_actor& from) {
  auto i = incoming_.find(seq);
  return i != incoming_.end() && i->second.receiver.epoch() == epoch
                 && i->second.what.source == from
             ? i
             : incoming_.end();
}

// Sends what a receiver answered, and acts on where it stands.
void decode_state::after(incoming_map::iterator i, kv_outbox box,
                         time_point now) {
  for (auto& m : box)
    send(i->second.what.source, std::move(m));
  if (i->second.receiver.accepted()) {
    join(i);
  } else if (i->second.receiver.failed()) {
    over_.add(i->first, i->second.receiver.epoch(), false);
    incoming_.erase(i);
    admit_waiting(now);
  }
}

void decode_state::join(incoming_map::iterator i) {
  auto& in = i->second;
  auto s = decoding{};
  s.spec = std::move(in.what.spec);
  s.generated = in.receiver.committed().emitted;
  s.table = in.receiver.take_table();
  s.stream = in.what.stream;
  incoming_.erase(i);
  batch_->join(std::move(s));
}

// A chunk or commit outside any handoff: its source must not wait for us.
void decode_state::answer_late(seq_id seq, epoch_t epoch, bool commit,
                               const kv_source_actor& from) {
  auto* s = batch_->find(seq);
  if ((s != nullptr && s->spec.epoch == epoch) || over_.taken(seq, epoch)) {
    if (commit)
      send(from, kv_accepted{seq, epoch});
  } else {
    send(from, kv_abort{seq, epoch, errc::unknown_sequence,
                        "no such handoff on this decode node"});
  }
}

void decode_state::on(const kv_chunk& m, const kv_source_actor& from,
                      time_point now) {
  auto i = find(m.seq, m.epoch, from);
  if (i == incoming_.end())
    return answer_late(m.seq, m.epoch, false, from);
  auto box = kv_outbox{};
  i->second.receiver.on(m, now, box);
  after(i, std::move(box), now);
}

// The position must agree with what the sequence said of itself: these numbers
// index the prompt and the KV.
bool decode_state::consistent(const kv_commit& m,
                              const sequence_spec& spec) const {
  return !m.emitted.empty() && m.emitted.size() >= spec.emitted.size()
         && m.emitted.size() < spec.max_tokens
         && std::equal(spec.emitted.begin(), spec.emitted.end(),
                       m.emitted.begin())
         && m.tokens + size_t{1} == spec.prompt.size() + m.emitted.size()
         && known_tokens(m.emitted, opts_.weights->params.vocab);
}

void decode_state::on(const kv_commit& m, const kv_source_actor& from,
                      time_point now) {
  auto i = find(m.seq, m.epoch, from);
  if (i == incoming_.end())
    return answer_late(m.seq, m.epoch, true, from);
  auto box = kv_outbox{};
  if (consistent(m, i->second.what.spec))
    i->second.receiver.on(m, now, box);
  else
    i->second.receiver.abort(errc::layout_mismatch,
                             "the committed position contradicts the tokens",
                             box);
  after(i, std::move(box), now);
}

void decode_state::on(const kv_abort& m, const kv_source_actor& from,
                      time_point now) {
  if (auto i = find(m.seq, m.epoch, from); i != incoming_.end()) {
    i->second.receiver.on(m);
    after(i, {}, now);
  }
  auto waited = std::erase_if(waiting_, [&](auto& w) {
    return w.offer.seq == m.seq && w.offer.epoch == m.epoch && w.source == from;
  });
  if (waited > 0)
    over_.add(m.seq, m.epoch, false);
  admit_waiting(now);
}

void decode_state::tick(time_point now) {
  auto open = std::vector<seq_id>{};
  for (auto& [seq, in] : incoming_)
    open.push_back(seq);
  for (auto seq : open)
    if (auto i = incoming_.find(seq); i != incoming_.end()) {
      auto box = kv_outbox{};
      i->second.receiver.tick(now, box);
      after(i, std::move(box), now);
    }
}

} // namespace troupe
