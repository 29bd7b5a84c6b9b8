#include "core/serving/node_load.hpp"

#include <algorithm>

namespace troupe {

bool plausible(const step_cost& c) {
  auto in_range = [](double x) { return x >= 0 && x < 1e15; };
  return c.base + c.row > 0 && in_range(c.base) && in_range(c.prefill_token)
         && in_range(c.prefill_context) && in_range(c.row)
         && in_range(c.decode_context);
}

// With room for the first token.
uint64_t load_estimate::blocks_for(uint64_t tokens) const {
  return tokens / std::max(told_.block_tokens, 1u) + 1;
}

void load_estimate::told(const node_load& load) {
  auto cost = told_.cost;
  told_ = load;
  if (!plausible(load.cost))
    told_.cost = cost;
  fresh_tokens_ = fresh_blocks_ = 0;
}

void load_estimate::placed(const request_size& r) {
  ++requests_;
  fresh_tokens_ += r.prompt;
  fresh_blocks_ += blocks_for(r.prompt);
}

void load_estimate::released() {
  if (requests_ > 0)
    --requests_;
  // Whatever was placed, none of it is left.
  if (requests_ == 0)
    fresh_tokens_ = fresh_blocks_ = 0;
}

double load_estimate::prefill_ns(const request_size& r, uint32_t rows) const {
  auto n = static_cast<double>(r.prompt);
  auto& c = told_.cost;
  auto before = static_cast<double>(told_.prompt_tokens + fresh_tokens_);
  auto own = n * c.prefill_token + n * (n + 1) / 2 * c.prefill_context;
  return before * c.prefill_token + own * (1 + rows);
}

double load_estimate::decode_ns(const request_size& r) const {
  auto& c = told_.cost;
  auto rows = static_cast<double>(requests_);
  auto mean = told_.rows > 0 ? static_cast<double>(told_.decode_context)
                                   / static_cast<double>(told_.rows)
                             : 0.;
  auto steps = r.answer == 0 ? foreseen : std::min(r.answer, foreseen);
  auto own = c.row + c.decode_context * (r.prompt + steps / 2.);
  auto others = rows * (c.row + c.decode_context * mean);
  return steps * (c.base + others + own + rows * own);
}

bool load_estimate::has_room(const request_size& r) const {
  return told_.blocks == 0
         || fresh_blocks_ + blocks_for(r.prompt) <= told_.free_blocks;
}

} // namespace troupe
