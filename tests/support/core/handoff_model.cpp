#include "tests/support/core/handoff_model.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "tests/core/kv/store_fixture.hpp"
#include "tests/support/core/handoff_world_node.hpp"
#include "tests/support/core/handoff_world_session.hpp"
#include "tests/support/core/handoff_world_store.hpp"

namespace troupe::testing {

namespace {

using namespace world;
using namespace std::chrono_literals;

// One schedule: chaos, then calm until all requests have ended, then silence.
class schedule {
public:
  explicit schedule(const model_options& opts) : c_(opts) {
    for (auto& arena : arenas_)
      arena = make_block_arena(layout);
    add(0); // the sessions
    for (auto n = 2 + c_.draw(2); n > 0; --n)
      add_node(c_.draw(2));
    if (!c_.one_in(8))
      add_store(c_.draw(2));
    for (auto& [id, what] : node_options_)
      start(id, what);
    for (auto n = 2 + c_.draw(3); n > 0; --n)
      sessions_.emplace_back(c_, sessions_.size() + 1,
                             static_cast<uint32_t>(1 + c_.draw(36)),
                             static_cast<uint32_t>(1 + c_.draw(28)));
  }

  model_outcome run() {
    for (auto left = 200 + c_.draw(600); left > 0 && c_.ok(); --left)
      disturb();
    c_.note([] { return std::string{"-- calm"}; });
    calm_ = true;
    for (auto left = 6000; left > 0 && c_.ok() && !all_ended(); --left)
      go_on();
    if (c_.ok() && !all_ended())
      c_.broken("a request never ends:" + state());
    fall_silent();
    repeat_old_messages();
    fall_silent();
    return std::move(c_.out);
  }

private:
  // -- who there is -----------------------------------------------------------

  actor add(uint64_t process) {
    c_.process.push_back(static_cast<uint32_t>(process));
    c_.dead.push_back(false);
    return static_cast<actor>(c_.dead.size() - 1);
  }

  void add_node(uint64_t process) {
    auto o = node::options{};
    o.blocks = static_cast<uint32_t>(5 + c_.draw(7));
    o.preempts = c_.draw(2) == 0;
    o.self = add(process);
    node_options_.emplace(o.self, o);
  }

  void add_store(uint64_t process) {
    auto o = kv_store::options{};
    o.self = store_id_ = add(process);
    o.blocks = static_cast<uint32_t>(2 + c_.draw(8));
    if (c_.draw(2) == 0) {
      disk_ = std::make_shared<fake_file>();
      o.file.emplace(disk_, layout.block_bytes(),
                     static_cast<uint32_t>(1 + c_.draw(6)));
    }
    store_.emplace(c_, std::move(o), arenas_[process]);
  }

  void start(actor id, node::options o) {
    o.store = store_id_;
    nodes_.emplace(id, node{c_, o, arenas_[c_.process[id]]});
  }

  actor some_node() {
    auto i = nodes_.begin();
    std::advance(i, c_.draw(nodes_.size()));
    return i->first;
  }

  // Where something new may go, but for `id`.
  std::vector<actor> open_nodes(actor id) const {
    auto all = std::vector<actor>{};
    for (auto& [other, n] : nodes_)
      if (other != id && !draining_.contains(other))
        all.push_back(other);
    return all;
  }

  session& some_session() { return sessions_[c_.draw(sessions_.size())]; }

  // -- events -----------------------------------------------------------------

  // Something that need not happen.
  void disturb() {
    auto& n = nodes_.at(some_node());
    auto of = [&](auto all) {
      return all.empty() ? seq_id{0} : all[c_.draw(all.size())];
    };
    switch (c_.draw(40)) {
    case 0:
    case 1:
    case 2:
      if (auto seq = of(n.generating())) {
        c_.note([&] { return "migrate " + std::to_string(seq); });
        n.migrate(seq, some_node());
      }
      break;
    case 3:
    case 4:
      // A move that has not stopped would be called off: not too often.
      if (auto seq = of(n.generating());
          seq != 0 && (!n.moving(seq) || c_.one_in(4))) {
        c_.note([&] { return "preempt " + std::to_string(seq); });
        n.preempt(seq, !c_.one_in(3));
      }
      break;
    case 5:
      if (c_.one_in(6)) {
        c_.note([] { return std::string{"the client leaves"}; });
        some_session().cancelled();
      }
      break;
    case 6:
      if (c_.options.kills && c_.one_in(8))
        kill(c_.one_in(4) && store_ ? store_id_ : some_node());
      break;
    case 7:
      if (c_.options.kills && c_.one_in(12))
        drain(some_node());
      break;
    case 8:
      if (c_.options.damage && disk_)
        hurt_disk();
      break;
    case 9:
      n.tidy();
      break;
    default:
      go_on();
    }
    check();
  }

  void go_on() {
    switch (c_.draw(12)) {
    case 0:
      pass_time(c_.draw(calm_ ? 2000 : 700) * 1ms);
      break;
    case 1:
    case 2:
      for (auto& s : sessions_)
        if (s.wants_place())
          place(s);
      break;
    case 3:
    case 4:
    case 5: {
      auto id = some_node();
      c_.note([&] { return "step of " + std::to_string(id); });
      nodes_.at(id).step();
      break;
    }
    default:
      carry();
    }
    check();
  }

  void place(session& s) {
    auto nodes = open_nodes(0);
    auto prefill = nodes[c_.draw(nodes.size())];
    auto decode = c_.one_in(2) ? nodes[c_.draw(nodes.size())] : actor{0};
    s.place(prefill, decode == prefill ? 0 : decode);
  }

  void pass_time(duration d) {
    c_.now += d;
    c_.note([&] {
      auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d);
      return "+" + std::to_string(ms.count()) + " ms";
    });
    for (auto& [id, n] : nodes_)
      n.tick();
    if (store_)
      store_->tick();
  }

  // At least one node stays.
  void kill(actor id) {
    if (id != store_id_ && open_nodes(id).empty())
      return;
    c_.note([&] { return "death of " + std::to_string(id); });
    ++c_.out.killed;
    c_.dead[id] = true;
    if (id == store_id_)
      store_.reset();
    else
      nodes_.erase(id);
    for (actor other = 0; other < c_.dead.size(); ++other)
      if (!c_.dead[other])
        c_.post(id, other, down{});
  }

  void drain(actor id) {
    auto peers = open_nodes(id);
    if (peers.empty() || draining_.contains(id))
      return;
    c_.note([&] { return "drain of " + std::to_string(id); });
    draining_.insert(id);
    if (c_.one_in(4))
      peers.clear();
    nodes_.at(id).drain(peers);
  }

  void hurt_disk() {
    if (c_.one_in(3) && !disk_->bytes.empty())
      disk_->bytes[c_.draw(disk_->bytes.size())] ^= std::byte{1};
    else
      disk_->broken = !disk_->broken;
  }

  // -- the link ---------------------------------------------------------------

  void carry() {
    if (c_.wire.empty())
      return;
    auto i = c_.draw(c_.wire.size());
    // What is not of a handoff overtakes nothing of its kind.
    if (!c_.wire[i].of_handoff())
      for (size_t k = 0; k < i; ++k)
        if (!c_.wire[k].of_handoff() && c_.wire[k].from == c_.wire[i].from
            && c_.wire[k].to == c_.wire[i].to)
          i = k;
    auto e = c_.wire[i];
    auto twice = e.of_handoff() && !calm_ && c_.one_in(8);
    if (!twice)
      c_.wire.erase(c_.wire.begin() + static_cast<ptrdiff_t>(i));
    auto lost = e.of_handoff() && !calm_ && !twice && c_.one_in(10);
    if (e.of_handoff() && old_.size() < 400 && !c_.one_in(3))
      old_.push_back(e);
    auto spoilt =
        !lost && c_.options.damage && !calm_ && c_.one_in(20) && spoil(e.what);
    c_.note([&] {
      return std::to_string(e.to) + " <- " + std::to_string(e.from) + ": "
             + describe(e.what) + (spoilt ? ", spoilt" : "")
             + (lost ? ", LOST" : "") + (twice ? ", and again later" : "");
    });
    if (!lost)
      deliver(e);
  }

  bool spoil(message& m) {
    if (auto* chunk = std::get_if<kv_chunk>(&m)) {
      if (!chunk->payload.bytes.empty() && c_.draw(2) == 0)
        chunk->payload.bytes[c_.draw(chunk->payload.bytes.size())] ^=
            std::byte{4};
      else if (c_.draw(2) == 0)
        chunk->digest.low ^= 1;
      else
        chunk->first_block = static_cast<uint32_t>(c_.draw(5));
      return true;
    }
    if (auto* commit = std::get_if<kv_commit>(&m)) {
      if (c_.draw(2) == 0)
        commit->digest.high ^= 1;
      else
        commit->chunks += 1;
      return true;
    }
    return false;
  }

  void deliver(const envelope& e) {
    ++c_.out.messages;
    if (c_.dead[e.to])
      return;
    if (e.to == world::sessions) {
      for (auto& s : sessions_)
        if (about(e.what, s.seq()))
          s.receive(e);
    } else if (e.to == store_id_) {
      store_->receive(e);
    } else {
      nodes_.at(e.to).receive(e);
    }
  }

  static bool about(const message& m, seq_id seq) {
    if (auto* o = std::get_if<output>(&m))
      return o->seq == seq;
    if (auto* x = std::get_if<moved>(&m))
      return x->seq == seq;
    return true;
  }

  // -- what must hold always --------------------------------------------------

  void check() {
    if (!c_.ok())
      return;
    // Who has which block, and who generates which placement.
    auto owners = std::map<const std::byte*, seq_id>{};
    auto running = std::set<std::pair<seq_id, epoch_t>>{};
    auto blocks_written = std::map<const std::byte*, actor>{};
    for (auto& [id, n] : nodes_) {
      auto held = uint32_t{0};
      n.for_each_table([&, id = id](seq_id seq, epoch_t epoch, auto& table,
                                    bool runs) {
        held += table.blocks();
        for (uint32_t i = 0; i < table.blocks(); ++i)
          if (auto* p = table.block(i);
              p != nullptr && owners.try_emplace(p, seq).first->second != seq)
            c_.broken("a block is of sequence " + std::to_string(seq)
                      + " on node " + std::to_string(id)
                      + " and of another as well");
        if (!runs)
          return;
        if (!running.emplace(seq, epoch >> 32).second)
          c_.broken("sequence " + std::to_string(seq)
                    + " generates in two places");
        for (auto i = table.length() / kv_block_tokens; i < table.blocks(); ++i)
          if (auto* p = table.block(i);
              p != nullptr && !blocks_written.emplace(p, id).second)
            c_.broken("two write one block");
      });
      auto used = n.pool().in_use();
      if (used < held || (used > held && !n.receives()))
        c_.broken("node " + std::to_string(id) + " has " + std::to_string(used)
                  + " blocks in use, " + std::to_string(held)
                  + " of them with sequences: " + n.state());
    }
    if (store_)
      check_store(running);
  }

  void check_store(const std::set<std::pair<seq_id, epoch_t>>& running) {
    auto held = uint32_t{0};
    store_->for_each(
        [&](seq_id seq, epoch_t epoch, uint32_t blocks, bool on_its_way) {
          held += blocks;
          if (!on_its_way && running.contains({seq, epoch >> 32})
              && !cancel_under_way(seq))
            c_.broken("sequence " + std::to_string(seq)
                      + " generates, and is stored as well");
        });
    auto used = store_->in_use();
    if (used < held || (used > held && !store_->receives()))
      c_.broken("the store has " + std::to_string(used) + " blocks in use, "
                + std::to_string(held) + " of them with sequences");
  }

  bool cancel_under_way(seq_id seq) const {
    return std::any_of(c_.wire.begin(), c_.wire.end(), [&](auto& e) {
      auto* m = std::get_if<cancel>(&e.what);
      return e.to == store_id_ && m != nullptr && m->seq == seq;
    });
  }

  // -- what must hold in the end ----------------------------------------------

  bool all_ended() const {
    return std::all_of(sessions_.begin(), sessions_.end(),
                       [](auto& s) { return s.ended(); });
  }

  std::string state() const {
    auto all = std::string{};
    for (auto& s : sessions_)
      if (!s.ended())
        all += " request " + std::to_string(s.seq()) + " with "
               + std::to_string(s.tokens()) + " tokens;";
    for (auto& [id, n] : nodes_)
      all += " " + n.state() + ";";
    return all;
  }

  // All that is under way arrives, and all leases run out.
  void fall_silent() {
    for (auto round = 0; round < 8 && c_.ok(); ++round) {
      for (auto left = 5000; left > 0 && !c_.wire.empty() && c_.ok(); --left) {
        carry();
        check();
      }
      for (auto& [id, n] : nodes_)
        n.step();
      pass_time(c_.timing.compute_lease / 2 + 1s);
      check();
    }
    if (!c_.ok())
      return;
    if (!c_.wire.empty())
      c_.broken("messages go round and round");
    for (auto& [id, n] : nodes_)
      if (n.pool().in_use() > 0)
        c_.broken("blocks are left: " + n.state());
    if (store_ && store_->in_use() + store_->in_file() > 0)
      c_.broken("blocks are left in the store");
    for (auto& s : sessions_)
      if (s.ends() != 1 || (!s.was_cancelled() && !s.complete()))
        c_.broken("request " + std::to_string(s.seq()) + " ended "
                  + std::to_string(s.ends()) + " times, with "
                  + std::to_string(s.tokens()) + " tokens");
  }

  // Messages of handoffs that are long over, in any order.
  void repeat_old_messages() {
    if (!c_.ok())
      return;
    c_.note([] { return std::string{"-- once more"}; });
    for (auto left = 40; left > 0 && !old_.empty(); --left)
      c_.wire.push_back(old_[c_.draw(old_.size())]);
  }

  context c_;
  std::array<std::shared_ptr<block_arena>, 2> arenas_;
  std::map<actor, node::options> node_options_;
  std::map<actor, node> nodes_;
  actor store_id_ = 0;
  std::shared_ptr<fake_file> disk_;
  std::optional<kv_store> store_;
  std::vector<session> sessions_;
  std::set<actor> draining_;
  std::vector<envelope> old_;
  bool calm_ = false;
};

} // namespace

model_outcome run_model(const model_options& opts) {
  return schedule{opts}.run();
}

} // namespace troupe::testing
