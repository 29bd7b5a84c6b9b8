// A node of the model: the line, computing, and how sequences end.

#include "tests/support/core/handoff_world_node.hpp"

#include <algorithm>

#include "core/kv/defrag.hpp"

namespace troupe::testing::world {

node::node(context& c, const options& opts, std::shared_ptr<block_arena> arena)
    : c_(&c), opts_(opts), arena_(arena), pool_(std::move(arena), opts.blocks),
      over_(c) {}

void node::receive(const envelope& e) {
  auto from = e.from;
  if (auto* m = std::get_if<offer>(&e.what)) {
    c_->watch(opts_.self, from);
    on(*m, from);
  } else if (auto* chunk = std::get_if<kv_chunk>(&e.what)) {
    on_chunk(*chunk, from);
  } else if (auto* commit = std::get_if<kv_commit>(&e.what)) {
    on_commit(*commit, from);
  } else if (auto* grant = std::get_if<kv_grant>(&e.what)) {
    at_sender(*grant, from);
  } else if (auto* credit = std::get_if<kv_credit>(&e.what)) {
    at_sender(*credit, from);
  } else if (auto* accepted = std::get_if<kv_accepted>(&e.what)) {
    at_sender(*accepted, from);
  } else if (auto* abort = std::get_if<kv_abort>(&e.what)) {
    at_sender(*abort, from);
  } else if (auto* j = std::get_if<job>(&e.what)) {
    submit(*j);
  } else if (auto* gone = std::get_if<cancel>(&e.what)) {
    over_.add(gone->seq, gone->epoch, false);
    forget(gone->seq, gone->epoch);
  } else if (std::holds_alternative<down>(e.what)) {
    peer_down(from);
  }
  admit();
}

// -- the line -----------------------------------------------------------------

epoch_t node::newest(seq_id seq) const {
  auto e = epoch_t{0};
  auto see = [&](epoch_t x) { e = std::max(e, x); };
  for (auto& s : batch_)
    if (s.of.seq == seq)
      see(s.of.epoch);
  if (auto i = prompts_.find(seq); i != prompts_.end())
    see(i->second.epoch);
  if (auto i = offers_.find(seq); i != offers_.end())
    see(i->second.what.of.epoch);
  if (auto i = parked_.find(seq); i != parked_.end())
    see(i->second.of.epoch);
  if (auto i = incoming_.find(seq); i != incoming_.end())
    see(i->second.receiver.epoch());
  if (auto i = outgoing_.find(seq); i != outgoing_.end())
    see(i->second.move.epoch());
  if (auto i = prefills_.find(seq); i != prefills_.end())
    see(i->second.of.epoch);
  return e;
}

void node::submit(job m) {
  auto seq = m.of.seq;
  if (over_.over(seq, m.of.epoch) || newest(seq) >= m.of.epoch)
    return;
  forget(seq, m.of.epoch);
  if (draining_)
    return fail(m.of, m.of.emitted.size());
  if (m.decode == 0)
    return enqueue(std::move(m.of));
  auto p = prefill{};
  p.to = m.decode;
  p.of = std::move(m.of);
  c_->watch(opts_.self, p.to);
  prefills_.emplace(seq, std::move(p));
}

void node::enqueue(spec s) {
  line_.push_back(s.seq);
  prompts_.insert_or_assign(s.seq, std::move(s));
}

void node::leave_line(seq_id seq) {
  std::erase(line_, seq);
}

uint32_t node::room_for(const spec& s, size_t tokens) const {
  return opts_.preempts ? static_cast<uint32_t>(tokens) + 1 : s.max_length();
}

// False: no blocks free now.
bool node::enter(seq_id seq) {
  if (auto i = prompts_.find(seq); i != prompts_.end()) {
    auto s = running{};
    auto& of = i->second;
    if (!s.table.reserve(pool_, room_for(of, of.tokens())))
      return false;
    s.of = std::move(of);
    prompts_.erase(i);
    s.table.back(s.of.tokens());
    s.generated = s.of.emitted;
    write_kv(s.table, seq, 0, s.of.tokens() - 1);
    s.table.set_length(s.of.tokens() - 1);
    ++c_->out.prefilled;
    if (generate(s))
      batch_.push_back(std::move(s));
    else
      ended(std::move(s));
    return true;
  }
  if (auto i = offers_.find(seq); i != offers_.end()) {
    if (!open(i->second.what, i->second.source))
      return false;
    offers_.erase(seq);
    return true;
  }
  if (auto i = parked_.find(seq); i != parked_.end()) {
    auto& p = i->second;
    auto tokens = room_for(p.of, p.of.prompt + p.generated.size());
    if (kv_layout::blocks_for(tokens) > pool_.available())
      return false;
    p.fetching = true;
    p.asked = c_->now;
    ++p.fetches;
    c_->post(opts_.self, opts_.store, fetch{seq, p.of.epoch, opts_.self});
  }
  return true;
}

void node::admit() {
  while (!line_.empty()) {
    auto seq = line_.front();
    if (!enter(seq))
      return;
    leave_line(seq);
  }
}

// -- compute ------------------------------------------------------------------

running* node::find(seq_id seq) {
  auto i = std::find_if(batch_.begin(), batch_.end(),
                        [&](auto& s) { return s.of.seq == seq; });
  return i == batch_.end() ? nullptr : &*i;
}

std::optional<running> node::take(seq_id seq) {
  auto i = std::find_if(batch_.begin(), batch_.end(),
                        [&](auto& s) { return s.of.seq == seq; });
  if (i == batch_.end())
    return std::nullopt;
  auto s = std::move(*i);
  batch_.erase(i);
  return s;
}

bool node::make_room(running& s) {
  auto tokens = s.table.length() + 1;
  if (!s.table.reserve(pool_, tokens))
    return false;
  s.table.back(tokens);
  return true;
}

// The next token: reads all KV, writes that of the last token. False: it was
// the answer's last.
bool node::generate(running& s) {
  auto seq = s.of.seq;
  auto at = s.table.length();
  if (auto wrong = first_wrong(s.table, seq); wrong != at)
    c_->broken("node " + std::to_string(opts_.self) + " generates sequence "
               + std::to_string(seq) + " from KV whose token "
               + std::to_string(wrong) + " of " + std::to_string(at)
               + " is not its own");
  if (s.generated != tokens_of(seq, s.generated.size())
      || at + 1 != s.of.prompt + s.generated.size())
    c_->broken("sequence " + std::to_string(seq) + " has other tokens on node "
               + std::to_string(opts_.self) + " than it had");
  write_kv(s.table, seq, at, at + 1);
  s.table.set_length(at + 1);
  auto index = static_cast<uint32_t>(s.generated.size());
  s.generated.push_back(token_of(seq, index));
  c_->post(opts_.self, sessions,
           output{seq, s.of.epoch, index, {s.generated.back()}, false});
  return s.generated.size() < s.of.max_tokens;
}

void node::step() {
  advance_moves();
  auto progress = false;
  for (auto n = batch_.size(); n > 0; --n) {
    auto s = std::move(batch_.front());
    batch_.pop_front();
    auto room = make_room(s);
    progress = progress || room;
    if (!room || generate(s))
      batch_.push_back(std::move(s));
    else
      ended(std::move(s));
  }
  c_->out.steps += progress;
  auto seqs = std::vector<seq_id>{};
  for (auto& [seq, p] : prefills_)
    seqs.push_back(seq);
  for (auto seq : seqs) {
    advance_prefill(prefills_.at(seq));
    settle_prefill(seq);
  }
  auto leaving = std::any_of(outgoing_.begin(), outgoing_.end(), [](auto& o) {
    return o.second.stopped.has_value();
  });
  if (!progress && !batch_.empty() && !leaving)
    preempt(batch_.back().of.seq, true);
  admit();
}

void node::tidy() {
  auto tables = std::vector<page_table*>{};
  for (auto& s : batch_)
    if (!outgoing_.contains(s.of.seq))
      tables.push_back(&s.table);
  c_->out.compacted += compact(tables, *arena_, 2).copies;
}

void node::ended(running s) {
  if (auto i = outgoing_.find(s.of.seq); i != outgoing_.end())
    drop_outgoing(i, errc::unknown_sequence);
  over_.add(s.of.seq, s.of.epoch, true);
}

void node::fail(const spec& s, size_t generated) {
  c_->post(opts_.self, sessions,
           output{s.seq, s.epoch, static_cast<uint32_t>(generated), {}, true});
}

// -- ends ---------------------------------------------------------------------

void node::forget(seq_id seq, epoch_t epoch) {
  auto erased = false;
  if (auto i = prompts_.find(seq);
      i != prompts_.end() && i->second.epoch <= epoch) {
    prompts_.erase(i);
    erased = true;
  }
  if (auto i = offers_.find(seq);
      i != offers_.end() && i->second.what.of.epoch <= epoch) {
    refuse(i->second.what, i->second.source, errc::cancelled);
    offers_.erase(i);
    erased = true;
  }
  if (auto i = incoming_.find(seq);
      i != incoming_.end() && i->second.receiver.epoch() <= epoch) {
    refuse(i->second.what, i->second.source, errc::cancelled);
    incoming_.erase(i);
  }
  if (auto i = parked_.find(seq);
      i != parked_.end() && i->second.of.epoch <= epoch) {
    c_->post(opts_.self, opts_.store, cancel{seq, epoch});
    parked_.erase(i);
    erased = true;
  }
  if (auto i = outgoing_.find(seq);
      i != outgoing_.end() && i->second.move.epoch() <= next_move(epoch))
    drop_outgoing(i, errc::cancelled);
  if (auto i = prefills_.find(seq);
      i != prefills_.end() && i->second.of.epoch <= epoch) {
    auto box = kv_outbox{};
    if (i->second.sender)
      i->second.sender->abort(errc::cancelled, "", box);
    c_->post(opts_.self, i->second.to, std::move(box), i->second.of);
    prefills_.erase(i);
  }
  if (erased)
    leave_line(seq);
  std::erase_if(
      batch_, [&](auto& s) { return s.of.seq == seq && s.of.epoch <= epoch; });
}

void node::peer_down(actor peer) {
  std::erase_if(incoming_, [&](auto& x) {
    return x.second.source == peer && !parked_.contains(x.first);
  });
  auto lost = std::vector<seq_id>{};
  for (auto& [seq, o] : offers_)
    if (o.source == peer)
      lost.push_back(seq);
  for (auto seq : lost) {
    offers_.erase(seq);
    leave_line(seq);
  }
  lost.clear();
  for (auto& [seq, o] : outgoing_)
    if (o.to == peer)
      lost.push_back(seq);
  for (auto seq : lost)
    keep_here(outgoing_.find(seq));
  lost.clear();
  for (auto& [seq, p] : prefills_)
    if (p.to == peer)
      lost.push_back(seq);
  for (auto seq : lost) {
    fail(prefills_.at(seq).of, prefills_.at(seq).of.emitted.size());
    prefills_.erase(seq);
  }
  if (opts_.store != 0 && opts_.store == peer) {
    opts_.store = 0;
    lost.clear();
    for (auto& [seq, p] : parked_)
      lost.push_back(seq);
    for (auto seq : lost)
      unpark(seq);
  }
}

// -- for the world ------------------------------------------------------------

std::vector<seq_id> node::generating() const {
  auto all = std::vector<seq_id>{};
  for (auto& s : batch_)
    all.push_back(s.of.seq);
  return all;
}

std::string node::state() const {
  auto all = "node " + std::to_string(opts_.self) + ":";
  auto add = [&](const char* what, seq_id seq) {
    all += std::string{" "} + what + " " + std::to_string(seq);
  };
  for (auto& s : batch_)
    add("generates", s.of.seq);
  for (auto& [seq, p] : prompts_)
    add("prompt", seq);
  for (auto& [seq, p] : prefills_)
    add("prefills", seq);
  for (auto& [seq, o] : offers_)
    add("offered", seq);
  for (auto& [seq, p] : parked_)
    add(p.fetching ? "fetches" : "parked", seq);
  for (auto& [seq, in] : incoming_)
    add("incoming", seq);
  for (auto& [seq, o] : outgoing_)
    add(o.stopped ? "outgoing, stopped" : "outgoing", seq);
  return all + "; " + std::to_string(pool_.in_use()) + " blocks";
}

} // namespace troupe::testing::world
