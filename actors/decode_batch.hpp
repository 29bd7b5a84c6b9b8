#pragma once

#include <algorithm>
#include <functional>
#include <list>
#include <optional>
#include <vector>

#include "actors/formed_sampler.hpp"
#include "actors/node_ranks.hpp"
#include "actors/send_handoff.hpp"

namespace troupe {

/// One sequence that a decode node generates.
struct decoding {
  sequence_spec spec;
  std::vector<token_id> generated; ///< over the whole answer
  page_table table;
  stream_actor stream;
  int64_t arrival_ns = 0; ///< at this node
};

/// The sequences that a decode node generates, all in one batch. With more of
/// them than a step may have rows they take turns.
class decode_batch {
public:
  /// For steps of up to `max_tokens` tokens, chunks of prompts included.
  decode_batch(const node_options& opts, uint32_t max_tokens);

  void join(decoding&& s) { all_.push_back(std::move(s)); }
  /// It has waited already.
  void rejoin(decoding&& s) { all_.push_front(std::move(s)); }

  struct outcome {
    /// These have left.
    std::vector<decoding> ended;
    /// Sequences that got a token.
    uint32_t rows = 0;
    /// Tokens that they attended to.
    uint64_t context = 0;
    /// Logits that the chunks wanted, until the next step; or why it failed.
    result<std::span<const float>> of_chunks = std::span<const float>{};
    /// States that they wanted, the same.
    std::span<const float> states = {};
  };

  /// Gives a table memory for one more token; false: there is none now.
  using make_room = std::function<bool(page_table&)>;

  /// One token for each of the front rows that have room, at most `rows`,
  /// appended to `out`; `chunks` of prompts are computed beside them.
  outcome step(routed_outputs& out, uint32_t rows, const make_room& room,
               std::span<const batch_row> chunks);

  /// Null: no such sequence.
  decoding* find(seq_id seq);
  const decoding* find(seq_id seq) const;
  decoding* find_request(request_id request);

  std::optional<decoding> take(seq_id seq);

  template <class F>
  void for_each(F f) const {
    std::for_each(all_.begin(), all_.end(), std::move(f));
  }
  template <class F>
  void for_each(F f) {
    std::for_each(all_.begin(), all_.end(), std::move(f));
  }

  template <class Predicate>
  size_t erase_if(Predicate p) {
    return std::erase_if(all_, std::move(p));
  }

  /// Why no step can be computed any more: a rank was lost. Or null.
  const error* failure() const { return engine_->failure(); }

  size_t size() const { return all_.size(); }
  uint64_t steps() const { return steps_; }
  uint32_t largest() const { return largest_; }

private:
  sequence_output advance(decoding& s, const result<sampled>& token);

  node_engine engine_;
  formed_sampler sampler_;
  std::list<decoding> all_;  ///< the front ones go into the next step
  std::list<decoding> turn_; ///< those that are in the step under way
  std::vector<batch_row> rows_;
  uint64_t steps_ = 0;
  uint32_t largest_ = 0;
};

} // namespace troupe
