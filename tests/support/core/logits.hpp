#pragma once

#include <memory>
#include <span>
#include <stdexcept>

#include "core/engine/engine.hpp"
#include "core/kv/block_pool.hpp"
#include "tests/support/core/floats.hpp"

namespace troupe::testing {

/// [ids, vocab]: the logits after each token, all in float32 and in one step.
inline floats logits_of(const std::shared_ptr<const model>& m,
                        std::span<const token_id> ids) {
  auto n = static_cast<uint32_t>(ids.size());
  auto net = engine{m, {1, n, nullptr, activation_type::f32}};
  auto pool = block_pool{make_block_arena(net.layout(kv_dtype::f32)),
                         kv_layout::blocks_for(n)};
  auto table = page_table{};
  if (!table.grow(pool, n))
    throw std::logic_error{"no blocks for the logits"};
  auto row = batch_row{&table, ids, true, true};
  auto logits = net.forward({&row, 1});
  if (!logits)
    throw std::runtime_error{logits.failure().message};
  return {logits->begin(), logits->end()};
}

} // namespace troupe::testing
