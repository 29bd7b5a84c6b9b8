#pragma once

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <optional>
#include <vector>

#include "core/base/random.hpp"
#include "core/kv/handoff.hpp"

namespace troupe::testing {

using namespace std::chrono_literals;

inline const auto layout = kv_layout{3, 1, 4, 4, kv_dtype::f16};
inline const auto t0 = time_point{} + 1h;

inline void paint(page_table& table, const kv_layout& l, uint64_t seed) {
  for (uint32_t i = 0; i < table.blocks(); ++i)
    for (size_t n = 0; n < l.block_bytes(); ++n)
      table.block(i)[n] =
          static_cast<std::byte>(random_bits(seed, i * 100'000 + n));
}

inline bool same_bytes(const page_table& a, const page_table& b,
                       uint32_t blocks, const kv_layout& l) {
  for (uint32_t i = 0; i < blocks; ++i)
    if (std::memcmp(a.block(i), b.block(i), l.block_bytes()) != 0)
      return false;
  return true;
}

// What a network does to a chunk.
inline void flatten(kv_chunk& c) {
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

} // namespace troupe::testing
