#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/kv/kv_move.hpp"
#include "tests/support/core/handoff_world.hpp"

namespace troupe::testing::world {

/// A sequence that generates.
struct running {
  spec of;
  std::vector<token_id> generated;
  page_table table;
};

/// The rules of actors/decode_*.cpp and actors/prefill_*.cpp in one node.
class node {
public:
  struct options {
    actor self = 0;
    actor store = 0; ///< 0: none
    uint32_t blocks = 0;
    bool preempts = false; ///< sequences get blocks as they grow
  };

  node(context& c, const options& opts, std::shared_ptr<block_arena> arena);

  void receive(const envelope& e);
  /// One token for every sequence that has room, and one block of each prompt
  /// that is computed for another node.
  void step();
  void tick();

  /// Begins to move a sequence. No effect if it does not generate here.
  void migrate(seq_id seq, actor to);
  /// Takes a sequence's blocks away.
  void preempt(seq_id seq, bool swap);
  /// Takes nothing from now on; what generates moves to `peers`, all else is
  /// given back to its session.
  void drain(const std::vector<actor>& peers);
  /// Moves a block or two of what generates here to better places.
  void tidy();

  std::vector<seq_id> generating() const;
  bool moving(seq_id seq) const { return outgoing_.contains(seq); }

  /// Every sequence's table here: f(seq, epoch, table, generates).
  template <class F>
  void for_each_table(F f) const {
    for (auto& s : batch_)
      f(s.of.seq, s.of.epoch, s.table, true);
    for (auto& [seq, o] : outgoing_)
      if (o.stopped)
        f(seq, o.move.epoch(), o.stopped->table, false);
    for (auto& [seq, p] : prefills_)
      f(seq, p.of.epoch, p.table, false);
  }
  bool receives() const { return !incoming_.empty(); }
  const block_pool& pool() const { return pool_; }
  /// What is here, for a violation's message.
  std::string state() const;

private:
  struct incoming {
    offer what;
    actor source = 0;
    kv_receiver receiver;
  };
  struct offered {
    offer what;
    actor source = 0;
  };
  struct parked {
    spec of;
    std::vector<token_id> generated;
    bool fetching = false;
    time_point asked{};
    uint32_t fetches = 0;
  };
  struct outgoing {
    actor to = 0;
    kv_move move;
    bool swap = false;
    std::optional<running> stopped;
  };
  struct prefill {
    spec of;
    actor to = 0;
    page_table table;
    std::optional<kv_sender> sender;
    uint32_t pushed = 0; ///< blocks
    bool over = false;   ///< all computed
  };
  using incoming_map = std::map<seq_id, incoming>;
  using outgoing_map = std::map<seq_id, outgoing>;

  // the line
  void submit(job m);
  void enqueue(spec s);
  void leave_line(seq_id seq);
  uint32_t room_for(const spec& s, size_t tokens) const;
  bool enter(seq_id seq);
  void admit();
  epoch_t newest(seq_id seq) const;
  void forget(seq_id seq, epoch_t epoch);
  void peer_down(actor peer);
  running* find(seq_id seq);
  std::optional<running> take(seq_id seq);

  // as a destination
  void on(const offer& m, actor from);
  bool known(const offer& m, actor from);
  bool open(const offer& m, actor from);
  void refuse(const offer& m, actor from, errc code);
  void on_chunk(kv_chunk m, actor from);
  void on_commit(kv_commit m, actor from);
  void after(incoming_map::iterator i, kv_outbox box);
  void join(incoming_map::iterator i);
  void answer_late(seq_id seq, epoch_t epoch, bool commit, actor from);
  incoming_map::iterator find_incoming(seq_id seq, epoch_t epoch, actor from);

  // as a source
  kv_offer offer_for(const spec& s, uint32_t length, epoch_t epoch) const;
  void send(outgoing& o, const running& s, kv_outbox box);
  outgoing* find_outgoing(seq_id seq, epoch_t epoch);
  template <class M>
  void at_sender(M m, actor from);
  void push(kv_sender& sender, const page_table& table, uint32_t first,
            uint32_t blocks, kv_outbox& box);
  outgoing& begin_move(const running& s, actor to);
  void swap_out(running s);
  void recompute(running s);
  void unpark(seq_id seq);
  void advance_moves();
  void finish_move(outgoing& o);
  void tick_outgoing(seq_id seq);
  void settle(seq_id seq);
  void handed_over(outgoing_map::iterator i);
  void keep_here(outgoing_map::iterator i);
  void drop_outgoing(outgoing_map::iterator i, errc code);

  // as a prefill node
  void advance_prefill(prefill& p);
  void settle_prefill(seq_id seq);
  void fail(const spec& s, size_t generated);

  // compute
  bool make_room(running& s);
  bool generate(running& s);
  void ended(running s);

  context* c_;
  options opts_;
  bool draining_ = false;
  std::shared_ptr<block_arena> arena_;
  block_pool pool_;
  std::deque<running> batch_;
  std::map<seq_id, spec> prompts_;
  std::map<seq_id, offered> offers_;
  std::map<seq_id, parked> parked_;
  std::deque<seq_id> line_;
  incoming_map incoming_;
  outgoing_map outgoing_;
  std::map<seq_id, prefill> prefills_;
  fences over_;
};

} // namespace troupe::testing::world
