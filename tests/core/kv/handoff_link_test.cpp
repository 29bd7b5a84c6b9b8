// Handoffs over a bad link, driven by seeds.

#include "tests/core/kv/handoff_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

// Both sides as nodes keep them, and a link that loses, doubles, reorders and
// damages what it carries. One seed is one schedule.
class trial {
public:
  trial(uint64_t seed, bool wire, bool damage, bool kills)
      : seed_(seed), wire_(wire), damage_(damage), kills_(kills),
        here_(make_block_arena(layout)),
        there_(wire ? make_block_arena(layout) : here_), from_(here_, 8),
        to_(there_, 7) {
    blocks_ = 1 + draw(4);
    table_.grow(from_, blocks_ * kv_block_tokens);
    table_.set_length(blocks_ * kv_block_tokens);
    paint(table_, layout, seed);
    if (draw(3) == 0)
      hog_ = to_.reserve(1 + draw(7));
  }

  void run() {
    for (epoch_ = 1; epoch_ <= 3; ++epoch_) {
      live();
      if (done_ > 0 || source_dead_)
        break;
    }
    settle();
  }

  // -- what must hold at the end ----------------------------------------------

  void verify() {
    table_.clear();
    hog_.reset();
    BOOST_REQUIRE_EQUAL(from_.in_use(), 0u);
    if (destination_dead_) {
      BOOST_REQUIRE_EQUAL(to_.in_use(), 0u);
      return;
    }
    BOOST_REQUIRE(!receiver_);
    BOOST_REQUIRE_EQUAL(to_.in_use(), owned_ ? blocks_ + 1 : 0u);
    // A source frees its blocks only for an owner.
    if (done_ > 0) {
      BOOST_REQUIRE(owned_);
      BOOST_REQUIRE_EQUAL(accepted_, done_);
    }
    if (owned_) {
      auto original = page_table{};
      original.grow(from_, blocks_ * kv_block_tokens);
      paint(original, layout, seed_);
      BOOST_REQUIRE(same_bytes(original, *owned_, blocks_, layout));
      BOOST_REQUIRE_EQUAL(owned_->length(), blocks_ * kv_block_tokens);
      BOOST_REQUIRE(emitted_ == std::vector<token_id>{42});
    }
  }

  bool moved() const { return done_ > 0; }
  int accepts() const { return accepts_; }

private:
  uint64_t draw(uint64_t below) { return random_bits(seed_, n_++) % below; }

  // One epoch, until its sender is done, failed or dead.
  void live() {
    auto o = kv_offer{};
    o.seq = 4;
    o.epoch = epoch_;
    o.model = "m";
    o.layout = layout;
    o.blocks = blocks_;
    o.max_blocks = blocks_ + 1;
    sender_.emplace(o, timing_);
    auto box = kv_outbox{};
    sender_->start(now_, box);
    send(to_wire_, std::move(box));
    auto pushed = 0u;
    for (auto moves = 0; !sender_->done() && !sender_->failed(); ++moves) {
      BOOST_REQUIRE_LT(moves, 20'000); // it ends, whatever happens
      if (pushed <= blocks_ && draw(4) == 0)
        compute(pushed++);
      if (!move_one())
        return;
    }
    if (sender_->done())
      done_ = epoch_;
  }

  void compute(uint32_t block) {
    auto box = kv_outbox{};
    if (block == blocks_) {
      sender_->finish(table_.length(), {42}, now_, box);
    } else if (draw(2) == 0) {
      sender_->push(table_, block, 1, 0, 3, now_, box);
    } else {
      sender_->push(table_, block, 1, 2, 1, now_, box);
      sender_->push(table_, block, 1, 0, 2, now_, box);
    }
    send(to_wire_, std::move(box));
  }

  // False: the source died.
  bool move_one() {
    switch (draw(8)) {
    case 0:
      pass_time();
      break;
    case 1:
      if (draw(10) == 0)
        hog_.reset();
      break;
    case 2:
      if (kills_ && draw(60) == 0)
        return kill();
      break;
    case 3:
    case 4:
      carry(to_wire_, [this](kv_message& m) { at_destination(m); });
      break;
    default:
      carry(from_wire_, [this](kv_message& m) { at_source(m); });
      carry(to_wire_, [this](kv_message& m) { at_destination(m); });
    }
    return true;
  }

  bool kill() {
    if (draw(2) == 0) {
      source_dead_ = true;
      sender_.reset();
      return false;
    }
    destination_dead_ = true;
    receiver_.reset();
    owned_.reset();
    from_wire_.clear();
    sender_->on(kv_abort{4, epoch_, errc::abandoned, "down"});
    return true;
  }

  void pass_time() {
    now_ += std::chrono::milliseconds{draw(700)};
    auto box = kv_outbox{};
    if (sender_)
      sender_->tick(now_, box);
    send(to_wire_, std::move(box));
    if (receiver_) {
      receiver_->tick(now_, box = {});
      answered(std::move(box));
    }
  }

  // After the last epoch: what is under way arrives or not, a dead source is
  // noticed, and leases run out.
  void settle() {
    if (source_dead_ && receiver_) {
      over_ = std::max(over_, receiver_->epoch());
      receiver_.reset();
    }
    for (auto i = 0; i < 60; ++i) {
      carry(to_wire_, [this](kv_message& m) { at_destination(m); });
      carry(from_wire_, [](kv_message&) {});
    }
    // A handoff that a late offer of a dead source opened ends by its lease.
    for (auto i = 0; i < 3 && receiver_; ++i) {
      now_ += timing_.compute_lease;
      auto box = kv_outbox{};
      receiver_->tick(now_, box);
      answered({});
    }
  }

  void send(std::vector<kv_message>& wire, kv_outbox box) {
    for (auto& m : box) {
      if (auto* c = std::get_if<kv_chunk>(&m); c != nullptr && wire_)
        flatten(*c);
      wire.push_back(std::move(m));
    }
  }

  template <class Deliver>
  void carry(std::vector<kv_message>& wire, Deliver deliver) {
    if (wire.empty())
      return;
    auto i = draw(4) != 0 ? 0 : draw(wire.size());
    auto m = wire[i];
    if (draw(10) != 0) // else it stays: delivered twice
      wire.erase(wire.begin() + i);
    if (draw(8) == 0)
      return; // lost
    if (damage_ && draw(25) == 0)
      spoil(m);
    deliver(m);
  }

  void spoil(kv_message& m) {
    if (auto* c = std::get_if<kv_chunk>(&m)) {
      if (!c->payload.bytes.empty() && draw(2) == 0)
        c->payload.bytes[draw(c->payload.bytes.size())] ^= std::byte{1};
      else if (draw(2) == 0)
        c->digest.low ^= 1;
      else
        c->first_block = draw(5);
    } else if (auto* commit = std::get_if<kv_commit>(&m)) {
      switch (draw(4)) {
      case 0:
        commit->digest.high ^= 1;
        break;
      case 1:
        commit->tokens ^= 1;
        break;
      case 2:
        commit->emitted = {41};
        break;
      default:
        commit->chunks += 1;
      }
    } else if (auto* offer = std::get_if<kv_offer>(&m)) {
      offer->model = "x";
    } else if (auto* grant = std::get_if<kv_grant>(&m)) {
      grant->credit = draw(2) == 0 ? 0 : ~0u;
    } else if (auto* credit = std::get_if<kv_credit>(&m)) {
      credit->index += 100;
    } else if (auto* accepted = std::get_if<kv_accepted>(&m)) {
      accepted->epoch += 1;
    }
  }

  void at_source(kv_message& m) {
    if (!sender_)
      return;
    auto box = kv_outbox{};
    if (auto* grant = std::get_if<kv_grant>(&m))
      sender_->on(*grant, now_, box);
    else if (auto* credit = std::get_if<kv_credit>(&m))
      sender_->on(*credit, now_, box);
    else if (auto* accepted = std::get_if<kv_accepted>(&m))
      sender_->on(*accepted);
    else if (auto* abort = std::get_if<kv_abort>(&m))
      sender_->on(*abort);
    send(to_wire_, std::move(box));
  }

  void at_destination(kv_message& m) {
    if (destination_dead_)
      return;
    auto box = kv_outbox{};
    if (auto* offer = std::get_if<kv_offer>(&m)) {
      on_offer(*offer, box);
    } else if (auto* chunk = std::get_if<kv_chunk>(&m)) {
      if (receiver_ && receiver_->epoch() == chunk->epoch)
        receiver_->on(*chunk, now_, box);
      else if (accepted_ != chunk->epoch)
        box.push_back(kv_abort{4, chunk->epoch, errc::unknown_sequence, ""});
    } else if (auto* commit = std::get_if<kv_commit>(&m)) {
      if (receiver_ && receiver_->epoch() == commit->epoch)
        receiver_->on(*commit, now_, box);
      else if (accepted_ == commit->epoch)
        box.push_back(kv_accepted{4, commit->epoch});
      else
        box.push_back(kv_abort{4, commit->epoch, errc::unknown_sequence, ""});
    } else if (auto* abort = std::get_if<kv_abort>(&m)) {
      if (receiver_)
        receiver_->on(*abort);
    }
    answered(std::move(box));
  }

  void on_offer(const kv_offer& m, kv_outbox& box) {
    if (m.epoch <= over_)
      return;
    if (receiver_ && receiver_->epoch() == m.epoch)
      return receiver_->on(m, now_, box);
    if (receiver_ && receiver_->epoch() > m.epoch)
      return;
    receiver_.reset(); // a newer life
    owned_.reset();
    auto r = kv_receiver::open(m, to_, {"m", 2, timing_}, now_, box);
    if (r)
      receiver_.emplace(std::move(*r));
    else if (r.failure().code == errc::no_free_blocks)
      box.push_back(kv_grant{4, m.epoch, 0});
    else
      box.push_back(kv_abort{4, m.epoch, r.failure().code, ""});
  }

  void answered(kv_outbox box) {
    send(from_wire_, std::move(box));
    if (receiver_ && receiver_->accepted()) {
      accepted_ = over_ = receiver_->epoch();
      emitted_ = receiver_->committed().emitted;
      owned_.emplace(receiver_->take_table());
      receiver_.reset();
      ++accepts_;
    } else if (receiver_ && receiver_->failed()) {
      over_ = std::max(over_, receiver_->epoch());
      receiver_.reset();
    }
  }

  uint64_t seed_;
  uint64_t n_ = 0;
  bool wire_;
  bool damage_;
  bool kills_;
  std::shared_ptr<block_arena> here_;
  std::shared_ptr<block_arena> there_;
  block_pool from_;
  block_pool to_;
  page_table table_;
  uint32_t blocks_ = 0;
  handoff_timing timing_{500ms, 8s, 20s};
  time_point now_ = t0;
  epoch_t epoch_ = 0;
  std::optional<kv_sender> sender_;
  std::optional<kv_receiver> receiver_;
  std::optional<page_table> owned_; ///< what the destination took over
  std::optional<std::vector<block_lease>> hog_;
  std::vector<token_id> emitted_;
  std::vector<kv_message> to_wire_;
  std::vector<kv_message> from_wire_;
  epoch_t over_ = 0;     ///< epochs up to this are over at the destination
  epoch_t accepted_ = 0; ///< the one it took over
  epoch_t done_ = 0;     ///< the one the source saw accepted
  int accepts_ = 0;
  bool source_dead_ = false;
  bool destination_dead_ = false;
};

// Runs `count` schedules; returns how many moved the sequence.
int schedules(int count, bool wire, bool damage, bool kills) {
  auto moved = 0;
  for (auto seed = 0; seed < count; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      auto t = trial{static_cast<uint64_t>(seed), wire, damage, kills};
      t.run();
      t.verify();
      BOOST_REQUIRE_LE(t.accepts(), 3);
      moved += t.moved();
    }
  }
  return moved;
}

} // namespace

BOOST_AUTO_TEST_SUITE(kv_handoff_link)

BOOST_AUTO_TEST_CASE(loss_repetition_and_reordering_by_reference) {
  BOOST_TEST(schedules(1500, false, false, false) == 1500);
}

BOOST_AUTO_TEST_CASE(loss_repetition_and_reordering_over_a_wire) {
  BOOST_TEST(schedules(1500, true, false, false) == 1500);
}

BOOST_AUTO_TEST_CASE(damage_never_becomes_a_sequence) {
  auto moved = schedules(1500, true, true, false);
  BOOST_TEST(moved > 700);
  BOOST_TEST(moved < 1500); // the damage was real
  BOOST_TEST(schedules(500, false, true, false) > 200);
}

BOOST_AUTO_TEST_CASE(either_side_may_die_at_any_moment) {
  auto moved = schedules(1500, true, true, true);
  BOOST_TEST(moved > 200);
  BOOST_TEST(schedules(1500, false, false, true) > 300);
}

BOOST_AUTO_TEST_SUITE_END()
