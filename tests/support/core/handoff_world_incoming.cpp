// A node of the model as a destination.

#include "tests/support/core/handoff_world_node.hpp"

namespace troupe::testing::world {

void node::refuse(const offer& m, actor from, errc code) {
  c_->post(opts_.self, from, kv_abort{m.of.seq, m.of.epoch, code, ""});
}

bool node::known(const offer& m, actor from) {
  auto seq = m.of.seq;
  auto epoch = m.of.epoch;
  if (over_.over(seq, epoch)) {
    refuse(m, from, errc::stale_epoch);
    return true;
  }
  if (auto i = find_incoming(seq, epoch, from); i != incoming_.end()) {
    auto box = kv_outbox{};
    i->second.receiver.on(m.what, c_->now, box);
    after(i, std::move(box));
    return true;
  }
  if (auto i = offers_.find(seq); i != offers_.end()
                                  && i->second.what.of.epoch == epoch
                                  && i->second.source == from) {
    c_->post(opts_.self, from, kv_grant{seq, epoch, 0});
    return true;
  }
  if (auto* s = find(seq); s != nullptr && s->of.epoch == epoch)
    return true;
  if (newest(seq) >= epoch && !c_->has(model_bug::any_epoch)) {
    refuse(m, from, errc::stale_epoch);
    return true;
  }
  return false;
}

void node::on(const offer& m, actor from) {
  if (known(m, from))
    return;
  if (draining_)
    return refuse(m, from, errc::no_node);
  auto seq = m.of.seq;
  if (auto i = parked_.find(seq);
      i != parked_.end() && i->second.fetching && from == opts_.store) {
    if (open(m, from))
      return;
    over_.add(seq, m.of.epoch, false);
    i->second.fetching = false;
    line_.push_back(seq);
    return refuse(m, from, errc::no_free_blocks);
  }
  forget(seq, m.of.epoch);
  offers_.emplace(seq, offered{m, from});
  line_.push_back(seq);
  admit();
  if (offers_.contains(seq))
    c_->post(opts_.self, from, kv_grant{seq, m.of.epoch, 0});
}

// False: no blocks free now.
bool node::open(const offer& m, actor from) {
  auto box = kv_outbox{};
  auto opts = kv_receiver::options{"m", 2, c_->timing};
  if (opts_.preempts)
    opts.reserve = m.what.blocks + 1;
  auto r = kv_receiver::open(m.what, pool_, std::move(opts), c_->now, box);
  if (!r && r.failure().code == errc::no_free_blocks)
    return false;
  if (!r) {
    refuse(m, from, r.failure().code);
    return true;
  }
  auto i = incoming_.emplace(m.of.seq, incoming{m, from, std::move(*r)}).first;
  after(i, std::move(box));
  return true;
}

node::incoming_map::iterator node::find_incoming(seq_id seq, epoch_t epoch,
                                                 actor from) {
  auto i = incoming_.find(seq);
  return i != incoming_.end() && i->second.receiver.epoch() == epoch
                 && i->second.source == from
             ? i
             : incoming_.end();
}

void node::after(incoming_map::iterator i, kv_outbox box) {
  c_->post(opts_.self, i->second.source, std::move(box));
  if (i->second.receiver.accepted()) {
    join(i);
  } else if (i->second.receiver.failed()) {
    auto seq = i->first;
    over_.add(seq, i->second.receiver.epoch(), false);
    incoming_.erase(i);
    if (parked_.contains(seq))
      unpark(seq);
  }
}

void node::join(incoming_map::iterator i) {
  auto& in = i->second;
  auto s = running{};
  s.of = std::move(in.what.of);
  s.generated = in.receiver.committed().emitted;
  s.table = in.receiver.take_table();
  if (parked_.erase(s.of.seq) > 0)
    ++c_->out.resumed;
  else if (has_moved(s.of.epoch))
    c_->post(opts_.self, sessions, moved{s.of.seq, s.of.epoch});
  incoming_.erase(i);
  batch_.push_back(std::move(s));
}

void node::answer_late(seq_id seq, epoch_t epoch, bool commit, actor from) {
  auto* s = find(seq);
  if ((s != nullptr && s->of.epoch == epoch) || over_.taken(seq, epoch)) {
    if (commit)
      c_->post(opts_.self, from, kv_accepted{seq, epoch});
  } else {
    c_->post(opts_.self, from,
             kv_abort{seq, epoch, errc::unknown_sequence, ""});
  }
}

void node::on_chunk(kv_chunk m, actor from) {
  if (auto i = incoming_.find(m.seq);
      c_->has(model_bug::any_epoch) && i != incoming_.end()) {
    m.epoch = i->second.receiver.epoch();
    from = i->second.source;
  }
  auto i = find_incoming(m.seq, m.epoch, from);
  if (i == incoming_.end())
    return answer_late(m.seq, m.epoch, false, from);
  auto box = kv_outbox{};
  i->second.receiver.on(m, c_->now, box);
  after(i, std::move(box));
}

void node::on_commit(kv_commit m, actor from) {
  auto i = find_incoming(m.seq, m.epoch, from);
  if (i == incoming_.end())
    return answer_late(m.seq, m.epoch, true, from);
  auto box = kv_outbox{};
  if (consistent(m, i->second.what.of))
    i->second.receiver.on(m, c_->now, box);
  else
    i->second.receiver.abort(errc::layout_mismatch, "", box);
  after(i, std::move(box));
}

} // namespace troupe::testing::world
