#pragma once

#include <cstdint>
#include <tuple>

#include "core/serving/latency_predictor.hpp"

namespace troupe {

/// What a node has to do, as it tells whoever places requests.
struct node_load {
  /// Sequences that decode.
  uint32_t rows = 0;
  /// How many tokens each of them attends to, summed.
  uint64_t decode_context = 0;
  /// Tokens of prompts that are not computed yet.
  uint64_t prompt_tokens = 0;
  /// KV blocks that nobody needs, and how many there are.
  uint32_t free_blocks = 0;
  uint32_t blocks = 0;
  uint32_t block_tokens = 16;
  /// What its steps cost, as it has learnt.
  step_cost cost;
  auto fields() {
    return std::tie(rows, decode_context, prompt_tokens, free_blocks, blocks,
                    block_tokens, cost.base, cost.prefill_token,
                    cost.prefill_context, cost.row, cost.decode_context);
  }
};

/// Whether steps can cost that: a node that says nonsense must not draw all
/// requests.
bool plausible(const step_cost& cost);

/// What of a request matters to where it goes.
struct request_size {
  /// Tokens to compute before the first one comes.
  uint32_t prompt = 0;
  /// Tokens that may come; 0: not known.
  uint32_t answer = 0;
  auto fields() { return std::tie(prompt, answer); }
};

/// The load of one node between what it tells: requests that were placed since
/// count as well. Predicts how long a request would take there, and hold others
/// up, so that nodes of different speed are compared fairly.
class load_estimate {
public:
  /// From the node itself. Costs that cannot be are ignored.
  void told(const node_load& load);

  void placed(const request_size& r);
  void released();

  /// Placed and not released.
  uint32_t requests() const { return requests_; }

  /// Nanoseconds until the prompt of `r` would be computed, and by which it
  /// delays those who decode here (`rows` of them).
  double prefill_ns(const request_size& r, uint32_t rows) const;

  /// Nanoseconds that the answer of `r` would take from its first token on, and
  /// by which its row slows the others down, all together.
  double decode_ns(const request_size& r) const;

  /// Whether the prompt's KV would find room. True of a node that has not told
  /// anything.
  bool has_room(const request_size& r) const;

  /// Tokens of an answer that are counted on at most.
  static constexpr uint32_t foreseen = 128;

private:
  uint64_t blocks_for(uint64_t tokens) const;

  node_load told_;
  uint64_t fresh_tokens_ = 0; ///< of prompts placed since
  uint64_t fresh_blocks_ = 0;
  uint32_t requests_ = 0;
};

} // namespace troupe
