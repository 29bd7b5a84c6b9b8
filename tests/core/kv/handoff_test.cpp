#include <boost/test/unit_test.hpp>

#include <cstring>

#include "core/base/random.hpp"
#include "core/kv/handoff.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

const auto layout = kv_layout{3, 1, 4, kv_dtype::f16};
const auto t0 = time_point{} + 1h;

void paint(page_table& table, const kv_layout& l, uint64_t seed) {
  for (uint32_t i = 0; i < table.blocks(); ++i)
    for (size_t n = 0; n < l.block_bytes(); ++n)
      table.block(i)[n] =
          static_cast<std::byte>(random_bits(seed, i * 100'000 + n));
}

bool same_bytes(const page_table& a, const page_table& b, uint32_t blocks,
                const kv_layout& l) {
  for (uint32_t i = 0; i < blocks; ++i)
    if (std::memcmp(a.block(i), b.block(i), l.block_bytes()) != 0)
      return false;
  return true;
}

// What a network does to a chunk.
void flatten(kv_chunk& c) {
  auto slice = c.layer_bytes * c.layers;
  for (auto& block : c.payload.blocks) {
    auto* from = block.get() + c.first_layer * c.layer_bytes;
    c.payload.bytes.insert(c.payload.bytes.end(), from, from + slice);
  }
  c.payload.blocks.clear();
  c.layer_bytes = 0;
}

// A good pair of both sides, three blocks of which the last is partly filled.
struct fixture {
  std::shared_ptr<block_arena> arena = make_block_arena(layout);
  block_pool from{arena, 8};
  block_pool to{arena, 8};
  page_table table;
  kv_offer offer;
  std::optional<kv_sender> sender;
  std::optional<kv_receiver> receiver;
  kv_outbox out;

  fixture() {
    table.grow(from, 40);
    paint(table, layout, 1);
    table.set_length(40);
    offer.seq = 9;
    offer.epoch = 2;
    offer.model = "m";
    offer.layout = layout;
    offer.blocks = 3;
    offer.max_blocks = 5;
    sender.emplace(offer, handoff_timing{});
  }

  result<kv_receiver> open(const kv_offer& o) {
    return kv_receiver::open(o, to, {"m", 4, {}}, t0, out);
  }

  template <class T>
  std::vector<T> take() {
    auto all = std::vector<T>{};
    for (auto& m : out)
      if (auto* x = std::get_if<T>(&m))
        all.push_back(*x);
    out.clear();
    return all;
  }

  // Up to where the sender has its grant, with one chunk a block to send.
  std::vector<kv_chunk> begin() {
    receiver.emplace(std::move(*open(offer)));
    auto grant = take<kv_grant>().at(0);
    sender->start(t0, out);
    sender->on(grant, t0, out);
    out.clear();
    for (uint32_t b = 0; b < 3; ++b)
      sender->push(table, b, 1, 0, 3, t0, out);
    return take<kv_chunk>();
  }

  void deliver_all(std::vector<kv_chunk> chunks) {
    for (auto& c : chunks) {
      receiver->on(c, t0, out);
      for (auto& credit : take<kv_credit>())
        sender->on(credit, t0, out);
    }
  }

  kv_commit commit() {
    sender->finish(40, {5}, t0, out);
    return take<kv_commit>().at(0);
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(kv_handoff)

// -- by hand ------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_good_run_moves_blocks_by_reference, fixture) {
  deliver_all(begin());
  receiver->on(commit(), t0, out);
  sender->on(take<kv_accepted>().at(0));
  BOOST_TEST(sender->done());
  BOOST_TEST(receiver->accepted());
  auto moved = receiver->take_table();
  receiver.reset();
  BOOST_TEST(moved.length() == 40u);
  BOOST_TEST(moved.blocks() == 5u);
  for (uint32_t i = 0; i < 3; ++i)
    BOOST_TEST(moved.block(i) == table.block(i));
  table.clear();
  BOOST_TEST(from.in_use() == 0u);
  BOOST_TEST(to.in_use() == 5u);
}

BOOST_FIXTURE_TEST_CASE(chunks_wait_for_the_grant_and_keep_the_window,
                        fixture) {
  sender->start(t0, out);
  out.clear();
  for (uint32_t b = 0; b < 3; ++b)
    for (uint32_t l = 0; l < 3; ++l)
      sender->push(table, b, 1, l, 1, t0, out);
  BOOST_TEST(out.empty());
  sender->on(kv_grant{9, 2, 4}, t0, out);
  BOOST_TEST(take<kv_chunk>().size() == 4u);
  sender->on(kv_credit{9, 2, 2}, t0, out);
  BOOST_TEST(take<kv_chunk>().size() == 1u);
  sender->on(kv_credit{9, 2, 2}, t0, out); // repeated
  sender->on(kv_credit{9, 2, 8}, t0, out); // never sent
  sender->on(kv_credit{9, 2, ~0u}, t0, out);
  sender->on(kv_credit{9, 1, 0}, t0, out); // of an older epoch
  BOOST_TEST(out.empty());
}

BOOST_FIXTURE_TEST_CASE(a_large_block_is_cut_into_chunks_by_layer, fixture) {
  auto big = kv_layout{20, 8, 128, kv_dtype::f32};
  auto pool = block_pool{make_block_arena(big), 4};
  auto there = block_pool{make_block_arena(big), 4};
  auto t = page_table{};
  t.grow(pool, 32);
  paint(t, {20, 8, 1, kv_dtype::f32}, 3); // a part of it is enough
  auto o = offer;
  o.layout = big;
  o.blocks = o.max_blocks = 2;
  auto s = kv_sender{o, {}};
  auto r = std::move(*kv_receiver::open(o, there, {"m", 64, {}}, t0, out));
  s.on(kv_grant{9, 2, 64}, t0, out);
  out.clear();
  s.push(t, 0, 2, 0, 20, t0, out);
  auto chunks = take<kv_chunk>();
  BOOST_TEST(chunks.size() == 5u); // 8, 8 and 4 layers
  for (auto& c : chunks) {
    BOOST_TEST(c.blocks * c.layers * big.layer_bytes()
               <= kv_sender::max_chunk_bytes);
    flatten(c);
    r.on(c, t0, out);
    s.on(take<kv_credit>().at(0), t0, out);
  }
  s.finish(32, {1}, t0, out);
  r.on(take<kv_commit>().at(0), t0, out);
  BOOST_REQUIRE(r.accepted());
  auto moved = r.take_table();
  BOOST_TEST(same_bytes(t, moved, 2, big));
}

BOOST_FIXTURE_TEST_CASE(an_offer_that_waits_lives_as_long_as_it_is_told_so,
                        fixture) {
  sender->start(t0, out);
  out.clear();
  auto now = t0;
  for (auto i = 0; i < 400; ++i) { // 100 minutes
    now += 15s;
    sender->tick(now, out);
    if (!take<kv_offer>().empty())
      sender->on(kv_grant{9, 2, 0}, now, out);
    BOOST_REQUIRE(!sender->failed());
  }
  BOOST_TEST((sender->now_in() == kv_sender::state::offered));
  sender->on(kv_grant{9, 2, 4}, now, out);
  BOOST_TEST((sender->now_in() == kv_sender::state::sending));
}

BOOST_FIXTURE_TEST_CASE(a_silent_destination_is_given_up, fixture) {
  sender->start(t0, out);
  out.clear();
  auto now = t0;
  while (!sender->failed() && now < t0 + 40s) {
    now += 250ms;
    sender->tick(now, out);
  }
  BOOST_TEST((sender->failure().code == errc::timeout));
  BOOST_TEST((now >= t0 + 30s));
  BOOST_TEST(take<kv_abort>().size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(silence_counts_only_after_it_was_asked_into, fixture) {
  auto chunks = begin();
  // A step of ten minutes; the credits lie behind the tick.
  sender->tick(t0 + 10min, out);
  BOOST_TEST(!sender->failed());
  out.clear();
  receiver->tick(t0 + 10min, out);
  BOOST_TEST(!receiver->failed());
  deliver_all(chunks);
  receiver->tick(t0 + 1min, out);
  BOOST_TEST(!receiver->failed());
}

BOOST_FIXTURE_TEST_CASE(a_source_that_computes_is_not_silent, fixture) {
  auto chunks = begin();
  deliver_all({chunks.at(0), chunks.at(1), chunks.at(2)});
  for (auto i = 0; i < 100; ++i)
    sender->tick(t0 + i * 60s, out);
  BOOST_TEST(out.empty());
  BOOST_TEST(!sender->failed());
}

BOOST_FIXTURE_TEST_CASE(a_silent_source_frees_the_blocks_in_the_end, fixture) {
  begin();
  receiver->tick(t0 + 4min, out);
  BOOST_TEST(!receiver->failed());
  receiver->tick(t0 + 5min, out);
  receiver->tick(t0 + 5min + 1s, out);
  BOOST_TEST(receiver->failed());
  BOOST_TEST(to.in_use() == 0u);
  BOOST_TEST((take<kv_abort>().at(0).code == errc::timeout));
}

// -- hostile peers ------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(offers_that_do_not_fit_are_refused, fixture) {
  auto refused = [&](auto change, errc why) {
    auto o = offer;
    change(o);
    auto r = open(o);
    BOOST_REQUIRE(!r);
    BOOST_TEST((r.failure().code == why), r.failure().message);
    BOOST_TEST(!r.failure().message.empty());
    BOOST_TEST(out.empty());
    BOOST_TEST(to.in_use() == 0u);
  };
  refused([](kv_offer& o) { o.version = 2; }, errc::layout_mismatch);
  refused([](kv_offer& o) { o.model = "other"; }, errc::layout_mismatch);
  refused([](kv_offer& o) { ++o.layout.layers; }, errc::layout_mismatch);
  refused([](kv_offer& o) { o.layout.kv_heads = 0; }, errc::layout_mismatch);
  refused([](kv_offer& o) { o.layout.head_dim = ~0u; }, errc::layout_mismatch);
  refused([](kv_offer& o) { o.layout.dtype = kv_dtype::f32; },
          errc::layout_mismatch);
  refused([](kv_offer& o) { o.layout.dtype = kv_dtype{77}; },
          errc::layout_mismatch);
  refused([](kv_offer& o) { o.blocks = 0; }, errc::invalid_argument);
  refused([](kv_offer& o) { o.blocks = 6; }, errc::invalid_argument);
  refused([](kv_offer& o) { o.blocks = o.max_blocks = ~0u; },
          errc::no_free_blocks);
  refused([](kv_offer& o) { o.max_blocks = 9; }, errc::no_free_blocks);
}

BOOST_FIXTURE_TEST_CASE(hostile_chunks_end_the_handoff_and_free_it, fixture) {
  auto attack = [&](auto change, errc why) {
    auto f = fixture{};
    auto chunks = f.begin();
    auto c = chunks.at(1);
    flatten(c);
    change(c);
    f.receiver->on(c, t0, f.out);
    BOOST_TEST(f.receiver->failed());
    auto aborts = f.take<kv_abort>();
    BOOST_REQUIRE_EQUAL(aborts.size(), 1u);
    BOOST_TEST((aborts[0].code == why));
    BOOST_TEST(f.to.in_use() == 0u);
    f.sender->on(aborts[0]);
    BOOST_TEST(f.sender->failed());
    BOOST_TEST((f.sender->failure().code == why));
  };
  auto outside = errc::layout_mismatch;
  attack([](kv_chunk& c) { c.first_block = 3; }, outside);
  attack([](kv_chunk& c) { c.first_block = ~0u; }, outside);
  attack([](kv_chunk& c) { c.blocks = 0; }, outside);
  attack([](kv_chunk& c) { c.blocks = ~0u; }, outside);
  attack([](kv_chunk& c) { c.first_layer = 1; }, outside);
  attack([](kv_chunk& c) { c.layers = 0x80000001u; }, outside);
  attack([](kv_chunk& c) { c.index = 9; }, outside);
  attack([](kv_chunk& c) { c.payload.bytes.clear(); }, outside);
  attack([](kv_chunk& c) { c.payload.bytes.pop_back(); }, outside);
  attack([](kv_chunk& c) { c.payload.bytes.resize(1 << 20); }, outside);
  attack([](kv_chunk& c) { c.payload.blocks.resize(1); }, outside);
  attack([](kv_chunk& c) { c.payload.bytes[5] ^= std::byte{1}; },
         errc::digest_mismatch);
  attack([](kv_chunk& c) { c.digest.high ^= 1; }, errc::digest_mismatch);
}

BOOST_FIXTURE_TEST_CASE(a_layer_cannot_come_twice, fixture) {
  auto chunks = begin();
  receiver->on(chunks[0], t0, out);
  auto again = chunks[0];
  again.index = 1;
  receiver->on(again, t0, out);
  BOOST_TEST(receiver->failed());
}

BOOST_FIXTURE_TEST_CASE(wire_bytes_never_enter_a_lent_block, fixture) {
  sender->start(t0, out);
  receiver.emplace(std::move(*open(offer)));
  sender->on(kv_grant{9, 2, 8}, t0, out);
  out.clear();
  sender->push(table, 0, 1, 0, 1, t0, out);
  sender->push(table, 0, 1, 1, 1, t0, out);
  auto chunks = take<kv_chunk>();
  receiver->on(chunks[0], t0, out);
  flatten(chunks[1]);
  chunks[1].payload.bytes[0] ^= std::byte{1};
  auto before = table.block(0)[layout.layer_bytes()];
  receiver->on(chunks[1], t0, out);
  BOOST_TEST(receiver->failed());
  BOOST_TEST((table.block(0)[layout.layer_bytes()] == before));
}

BOOST_FIXTURE_TEST_CASE(hostile_commits_are_refused, fixture) {
  auto attack = [&](auto change) {
    auto f = fixture{};
    f.deliver_all(f.begin());
    auto m = f.commit();
    change(m);
    f.receiver->on(m, t0, f.out);
    BOOST_TEST(f.receiver->failed());
    BOOST_TEST(f.to.in_use() == 0u);
  };
  attack([](kv_commit& m) { m.tokens = 0; });
  attack([](kv_commit& m) { m.tokens = 41; });
  attack([](kv_commit& m) { m.tokens = ~0u; });
  attack([](kv_commit& m) { m.chunks = 2; });
  attack([](kv_commit& m) { m.chunks = ~0u; });
  attack([](kv_commit& m) { m.digest.low ^= 1; });
  attack([](kv_commit& m) { m.emitted = {6}; });
}

BOOST_FIXTURE_TEST_CASE(a_commit_before_the_last_chunk_is_refused, fixture) {
  auto chunks = begin();
  deliver_all({chunks[0], chunks[1]});
  auto digests = std::vector<kv_digest>{chunks[0].digest, chunks[1].digest};
  auto m = kv_commit{9, 2, 2, {}, 40, {5}};
  m.digest = digest_of(digests, m);
  receiver->on(m, t0, out);
  BOOST_TEST(receiver->failed());
}

BOOST_FIXTURE_TEST_CASE(other_epochs_and_sequences_change_nothing, fixture) {
  auto chunks = begin();
  out.clear();
  for (auto epoch : {0, 1, 3}) {
    auto c = chunks[0];
    c.epoch = epoch;
    receiver->on(c, t0, out);
    receiver->on(kv_commit{9, c.epoch, 3, {}, 40, {}}, t0, out);
    receiver->on(kv_abort{9, c.epoch, errc::cancelled, ""});
    sender->on(kv_abort{9, c.epoch, errc::cancelled, ""});
    sender->on(kv_accepted{9, c.epoch});
  }
  receiver->on(kv_abort{8, 2, errc::cancelled, ""});
  sender->on(kv_accepted{9, 2}); // not committed yet
  BOOST_TEST(out.empty());
  BOOST_TEST((receiver->now_in() == kv_receiver::state::receiving));
  BOOST_TEST((sender->now_in() == kv_sender::state::sending));
}

BOOST_FIXTURE_TEST_CASE(an_abort_after_accepted_is_too_late, fixture) {
  deliver_all(begin());
  receiver->on(commit(), t0, out);
  receiver->on(kv_abort{9, 2, errc::cancelled, ""});
  BOOST_TEST(receiver->accepted());
  BOOST_TEST(receiver->take_table().length() == 40u);
}

// -- a bad link, driven by seeds ----------------------------------------------

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
      carry(from_wire_, [this](kv_message&) {});
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
