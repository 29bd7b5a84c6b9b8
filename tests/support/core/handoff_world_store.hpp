#pragma once

#include <map>
#include <memory>
#include <optional>

#include "core/kv/store.hpp"
#include "tests/support/core/handoff_world.hpp"

namespace troupe::testing::world {

/// The rules of actors/kv_store*.cpp.
class kv_store {
public:
  struct options {
    actor self = 0;
    uint32_t blocks = 0;
    std::optional<swap_file> file;
  };

  kv_store(context& c, options opts, std::shared_ptr<block_arena> arena);

  void receive(const envelope& e);
  void tick();

  /// Every stored sequence: f(seq, epoch, blocks in memory, on its way).
  template <class F>
  void for_each(F f) const {
    for (auto& [seq, e] : entries_)
      f(seq, e.of.epoch, kv_layout::blocks_for(e.tokens) - store_.in_file(seq),
        e.on_its_way.has_value());
  }
  bool receives() const { return !incoming_.empty(); }
  uint32_t in_use() const { return store_.pool().in_use(); }
  uint32_t in_file() const { return store_.used().file_blocks; }

private:
  struct incoming {
    offer what;
    actor source = 0;
    kv_receiver receiver;
    uint32_t reserved = 0;
  };
  struct outgoing {
    actor to = 0;
    kv_sender sender;
  };
  struct entry {
    spec of;
    uint32_t tokens = 0;
    actor owner = 0;
    bool owner_gone = false;
    epoch_t last_sent = 0;
    std::optional<outgoing> on_its_way;
  };
  using incoming_map = std::map<seq_id, incoming>;
  using entry_map = std::map<seq_id, entry>;

  bool known(const offer& m, actor from);
  void on(const offer& m, actor from);
  void on_chunk(const kv_chunk& m, actor from);
  void on_commit(const kv_commit& m, actor from);
  void on_abort(const kv_abort& m, actor from);
  void on_fetch(const fetch& m);
  template <class M>
  void at_sender(const M& m, actor from);
  void answer_late(seq_id seq, epoch_t epoch, bool commit, actor from);
  incoming_map::iterator find(seq_id seq, epoch_t epoch, actor from);
  entry_map::iterator find_sent(seq_id seq, epoch_t epoch, actor from);
  void after(incoming_map::iterator i, kv_outbox box);
  void send(entry& e, kv_outbox box);
  void forget(seq_id seq, epoch_t epoch);
  void stay(entry_map::iterator i);
  void drop(entry_map::iterator i);
  void peer_down(actor peer);

  context* c_;
  actor self_;
  sequence_store store_;
  incoming_map incoming_;
  entry_map entries_;
  fences over_;
};

} // namespace troupe::testing::world
