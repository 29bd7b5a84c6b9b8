#include "actors/decode_batch.hpp"

#include <algorithm>

namespace troupe {

decode_batch::decode_batch(const node_options& opts, uint32_t max_tokens)
    : engine_(opts, max_tokens), sampler_(opts.weights) {}

decoding* decode_batch::find(seq_id seq) {
  auto i = std::find_if(all_.begin(), all_.end(),
                        [&](auto& s) { return s.spec.seq == seq; });
  return i != all_.end() ? &*i : nullptr;
}

const decoding* decode_batch::find(seq_id seq) const {
  return const_cast<decode_batch*>(this)->find(seq);
}

decoding* decode_batch::find_request(request_id request) {
  auto i = std::find_if(all_.begin(), all_.end(),
                        [&](auto& s) { return s.spec.request == request; });
  return i != all_.end() ? &*i : nullptr;
}

std::optional<decoding> decode_batch::take(seq_id seq) {
  auto i = std::find_if(all_.begin(), all_.end(),
                        [&](auto& s) { return s.spec.seq == seq; });
  if (i == all_.end())
    return std::nullopt;
  auto s = std::move(*i);
  all_.erase(i);
  return s;
}

sequence_output decode_batch::advance(decoding& s,
                                      const result<sampled>& token) {
  auto index = static_cast<uint32_t>(s.generated.size());
  auto o = output_of(s.spec, index);
  if (token) {
    append_token(o, s.spec, *token, index);
    s.generated.push_back(token->id);
  } else {
    o.reason = finish_reason::error;
    o.code = token.failure().code;
    o.message = token.failure().message;
  }
  return o;
}

decode_batch::outcome decode_batch::step(routed_outputs& out, uint32_t rows,
                                         const make_room& room,
                                         std::span<const batch_row> chunks) {
  auto done = outcome{};
  // Those without room stay at the front, to be the first to have it.
  for (auto i = all_.begin(); i != all_.end() && turn_.size() < rows;) {
    auto s = i++;
    if (room(s->table))
      turn_.splice(turn_.end(), all_, s);
  }
  auto count = turn_.size();
  done.rows = static_cast<uint32_t>(count);
  if (count + chunks.size() == 0)
    return done;
  rows_.clear();
  for (auto& s : turn_) {
    auto row = batch_row{};
    row.table = &s.table;
    row.tokens = std::span{&s.generated.back(), 1};
    rows_.push_back(row);
    done.context += s.table.length() + 1;
  }
  rows_.insert(rows_.end(), chunks.begin(), chunks.end());
  auto logits = engine_->forward(rows_);
  ++steps_;
  largest_ = std::max(largest_, static_cast<uint32_t>(rows_.size()));
  auto vocab = size_t{engine_->weights().params.vocab};
  if (logits) {
    done.of_chunks = logits->subspan(count * vocab);
    done.states = engine_->states();
  } else {
    done.of_chunks = logits.failure();
  }
  for (size_t i = 0; i < count; ++i) {
    auto& s = turn_.front();
    auto token = logits ? sampler_.sample(logits->subspan(i * vocab, vocab),
                                          s.spec, s.generated)
                        : result<sampled>{logits.failure()};
    auto o = advance(s, token);
    auto over = o.reason != finish_reason::none;
    out.emplace_back(s.stream, std::move(o));
    // Those that had their turn go to the back, those that ended go away.
    if (over) {
      done.ended.push_back(std::move(s));
      turn_.pop_front();
    } else {
      all_.splice(all_.end(), turn_, turn_.begin());
    }
  }
  return done;
}

} // namespace troupe
