#pragma once

// Models, nodes and sequences for handoffs.

#include <cstdio>
#include <cstdlib>

#include "actors/node_options.hpp"
#include "actors/protocol/messages.hpp"
#include "tests/core/engine/random_model.hpp"

namespace troupe::bench {

inline constexpr auto demo = "demo";
/// The KV of a larger model beside weights that cost nothing.
inline constexpr auto wide = "wide";

inline hparams shape(uint32_t layers, uint32_t head_dim) {
  auto p = hparams{};
  p.vocab = 4096;
  p.context = 2048;
  p.hidden = 256;
  p.layers = layers;
  p.heads = 8;
  p.kv_heads = 4;
  p.head_dim = head_dim;
  p.ffn = 768;
  p.rope_dim = head_dim;
  return p;
}

inline std::shared_ptr<const model> model_of(const std::string& name) {
  auto o = test::random_model_options{};
  o.type = dtype::q8_0;
  if (name == demo)
    return test::random_model::make(shape(12, 32), o);
  if (name == wide)
    return test::random_model::make(shape(24, 64), o);
  auto m = load_model(name);
  if (!m) {
    std::fprintf(stderr, "%s\n", m.failure().message.c_str());
    std::exit(1);
  }
  return *m;
}

inline node_options node_of(node_role role, std::shared_ptr<const model> m,
                            std::shared_ptr<block_arena> arena,
                            unsigned threads) {
  auto n = node_options{};
  n.id = 1 + static_cast<node_id>(role);
  n.role = role;
  n.weights = std::move(m);
  n.arena = std::move(arena);
  n.blocks = 512;
  n.threads = threads;
  return n;
}

inline std::shared_ptr<block_arena> arena_of(const model& m) {
  return make_block_arena(kv_layout_of(m.params, kv_dtype::f16));
}

inline sequence_spec spec_of(seq_id seq, uint32_t tokens) {
  auto s = sequence_spec{};
  s.request = s.seq = seq;
  s.epoch = next_placement(0);
  for (auto i = 0u; i < tokens; ++i)
    s.prompt.push_back(static_cast<token_id>(random_bits(seq, i) % 4000));
  s.max_tokens = 2;
  return s;
}

inline seq_id next_seq() {
  static auto last = seq_id{0};
  return ++last;
}

} // namespace troupe::bench
