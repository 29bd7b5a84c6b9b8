#include "core/parallel/sequence_scatter.hpp"

#include <algorithm>
#include <cassert>

namespace troupe {

result<void> sequence_scatter::check(const hparams& p, uint32_t ranks) {
  if (p.mla.kv_rank > 0)
    return fail(errc::unsupported,
                "latent attention cannot be spread over a sequence's ranks");
  for (auto r = uint32_t{0}; r < std::max(ranks, 1u); ++r)
    if (auto heads = heads_of(p, ranks, r); !heads)
      return heads.failure();
  return {};
}

sequence_scatter::sequence_scatter(const hparams& p, collective& ranks,
                                   uint32_t max_tokens)
    : ranks_(ranks), k_dim_(p.head_dim), v_dim_(p.values_of_head()),
      heads_(p.heads), kv_heads_(p.kv_heads), to_(ranks.ranks()),
      from_(ranks.ranks()) {
  auto all = size_t{0};
  for (auto r = uint32_t{0}; r < ranks.ranks(); ++r) {
    auto heads = heads_of(p, ranks.ranks(), r);
    assert(heads);
    shares_.push_back({*heads, r == 0 ? part{0, p.kv_heads} : heads->kv});
    all += width(shares_.back());
  }
  auto rows = size_t{rows_of(max_tokens, 0).count};
  sent_.reserve(rows * all);
  got_.reserve(std::max(max_tokens * width(mine()), rows * heads_ * v_dim_));
}

size_t sequence_scatter::width(const share& s) const {
  return s.heads.query.count * k_dim_ + s.kv.count * (k_dim_ + v_dim_);
}

result<void> sequence_scatter::to_heads(uint32_t tokens, const qkv_rows& own,
                                        const qkv_rows& all) {
  auto rows = size_t{this->rows(tokens).count};
  sent_.clear();
  for (auto r = uint32_t{0}; r < ranks_.ranks(); ++r) {
    auto& s = shares_[r];
    to_[r] = rows * width(s);
    from_[r] = rows_of(tokens, r).count * width(mine());
    auto send = [&](const float* of_row, part heads, size_t size) {
      auto* from = of_row + heads.first * size;
      sent_.insert(sent_.end(), from, from + heads.count * size);
    };
    for (auto row = size_t{0}; row < rows; ++row) {
      send(own.q + row * heads_ * k_dim_, s.heads.query, k_dim_);
      send(own.k + row * kv_heads_ * k_dim_, s.kv, k_dim_);
      send(own.v + row * kv_heads_ * v_dim_, s.kv, v_dim_);
    }
  }
  got_.resize(tokens * width(mine()));
  if (auto ok = ranks_.all_to_all(sent_, to_, got_, from_); !ok)
    return ok;
  auto q = mine().heads.query.count * k_dim_;
  auto k = mine().kv.count * k_dim_;
  auto v = mine().kv.count * v_dim_;
  auto* from = got_.data(); // the ranks' rows are in order
  for (auto row = size_t{0}; row < tokens; ++row, from += q + k + v) {
    std::copy_n(from, q, all.q + row * q);
    std::copy_n(from + q, k, all.k + row * k);
    std::copy_n(from + q + k, v, all.v + row * v);
  }
  return {};
}

result<void> sequence_scatter::to_rows(uint32_t tokens, const float* all,
                                       float* own) {
  auto rows = size_t{this->rows(tokens).count};
  auto values = mine().heads.query.count * v_dim_;
  for (auto r = uint32_t{0}; r < ranks_.ranks(); ++r) {
    to_[r] = rows_of(tokens, r).count * values;
    from_[r] = rows * shares_[r].heads.query.count * v_dim_;
  }
  got_.resize(rows * heads_ * v_dim_);
  if (auto ok = ranks_.all_to_all({all, tokens * values}, to_, got_, from_);
      !ok)
    return ok;
  auto* from = got_.data();
  for (auto& s : shares_) {
    auto n = s.heads.query.count * v_dim_;
    for (auto row = size_t{0}; row < rows; ++row, from += n)
      std::copy_n(from, n,
                  own + row * heads_ * v_dim_ + s.heads.query.first * v_dim_);
  }
  return {};
}

} // namespace troupe
