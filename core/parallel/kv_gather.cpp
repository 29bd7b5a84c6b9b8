#include "core/parallel/kv_gather.hpp"

#include <algorithm>

namespace troupe {

kv_gather::kv_gather(collective& ranks, std::vector<part> heads, uint32_t k_dim,
                     uint32_t v_dim)
    : ranks_(ranks), heads_(std::move(heads)), k_dim_(k_dim), v_dim_(v_dim),
      to_(ranks.ranks()), from_(ranks.ranks()) {
  for (auto& h : heads_)
    all_ = std::max(all_, h.end());
}

result<void> kv_gather::run(uint32_t tokens, const float* k, const float* v,
                            float* all_k, float* all_v) {
  auto rank = ranks_.rank();
  sent_.clear();
  if (rank != 0) {
    auto n = size_t{tokens} * heads_[rank].count;
    sent_.insert(sent_.end(), k, k + n * k_dim_);
    sent_.insert(sent_.end(), v, v + n * v_dim_);
  }
  to_[0] = sent_.size();
  auto all = size_t{0};
  for (auto r = uint32_t{1}; r < ranks_.ranks(); ++r) {
    from_[r] = rank == 0 ? tokens * width(r) : 0;
    all += from_[r];
  }
  got_.resize(all);
  if (auto ok = ranks_.all_to_all(sent_, to_, got_, from_); !ok || rank != 0)
    return ok;
  auto place = [&](const float* from, part heads, size_t dim, float* to) {
    auto n = heads.count * dim;
    for (auto row = size_t{0}; row < tokens; ++row, from += n)
      std::copy_n(from, n, to + (row * all_ + heads.first) * dim);
  };
  place(k, heads_[0], k_dim_, all_k);
  place(v, heads_[0], v_dim_, all_v);
  auto* from = got_.data();
  for (auto r = uint32_t{1}; r < ranks_.ranks(); ++r) {
    place(from, heads_[r], k_dim_, all_k);
    from += tokens * heads_[r].count * k_dim_;
    place(from, heads_[r], v_dim_, all_v);
    from += tokens * heads_[r].count * v_dim_;
  }
  return {};
}

} // namespace troupe
