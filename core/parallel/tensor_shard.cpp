#include "core/parallel/tensor_shard.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <string>

#include "core/model/rows_of.hpp"
#include "core/tensor/pack.hpp"

namespace troupe {

namespace {

std::vector<float> some_of(const std::vector<float>& all, part p,
                           uint32_t size) {
  if (all.empty())
    return {};
  auto from = all.begin() + ptrdiff_t{p.first} * size;
  return {from, from + ptrdiff_t{p.count} * size};
}

matrix_view rows_of(const matrix_view& w, part p, uint32_t size = 1) {
  return troupe::rows_of(w, p.first * size, p.count * size);
}

class cutter {
public:
  cutter(const model& whole, const shard_plan& plan, model& to)
      : p_(whole.params), file_(whole.file.get()), plan_(plan), to_(to) {}

  layer_weights cut(const layer_weights& whole) {
    auto l = whole;
    cut_attention(whole, l);
    auto width = whole.experts.empty() ? plan_.ffn : plan_.shared_ffn;
    auto one = cut(ffn_weights{whole.gate, whole.up, whole.down}, width);
    l.gate = one.gate;
    l.up = one.up;
    l.down = one.down;
    l.router = own(whole.router);
    for (auto& e : l.experts)
      e = cut(e, plan_.expert_ffn);
    return l;
  }

  /// The same matrix in storage that this rank needs nobody else for.
  matrix_view own(matrix_view w) {
    return is_worth_packing(w.type) ? w : copy(w);
  }

private:
  void cut_attention(const layer_weights& whole, layer_weights& l) {
    auto& query = plan_.heads.query;
    auto& kv = plan_.heads.kv;
    l.wq = own(rows_of(whole.wq, query, p_.head_dim));
    l.wk = own(rows_of(whole.wk, kv, p_.head_dim));
    l.wv = own(rows_of(whole.wv, kv, p_.values_of_head()));
    l.bq = some_of(whole.bq, query, p_.head_dim);
    l.bk = some_of(whole.bk, kv, p_.head_dim);
    l.bv = some_of(whole.bv, kv, p_.values_of_head());
    auto size = p_.values_of_head();
    l.wo = own(columns_of(whole.wo, {query.first * size, query.count * size}));
    l.wq_a = own(whole.wq_a);
    l.wkv_a = own(whole.wkv_a);
    auto heads = [&](const std::vector<matrix_view>& all) {
      auto mine = std::vector<matrix_view>{};
      for (auto h = query.first; h < query.end() && !all.empty(); ++h)
        mine.push_back(copy(all[h])); // these are never packed
      return mine;
    };
    l.wk_b = heads(whole.wk_b);
    l.wv_b = heads(whole.wv_b);
  }

  ffn_weights cut(const ffn_weights& whole, part width) {
    return {own(rows_of(whole.gate, width)), own(rows_of(whole.up, width)),
            own(columns_of(whole.down, width))};
  }

  matrix_view copy(matrix_view w) {
    if (w.empty())
      return w;
    auto bytes = std::vector<std::byte>(w.rows * w.row_bytes());
    for (auto r = uint32_t{0}; r < w.rows; ++r)
      std::memcpy(bytes.data() + r * w.row_bytes(), w.row(r), w.row_bytes());
    if (file_ != nullptr)
      file_->release({w.data, w.span_bytes()});
    auto kept =
        std::make_shared<const std::vector<std::byte>>(std::move(bytes));
    w.data = kept->data();
    w.row_stride = 0;
    to_.w.made.push_back(std::move(kept));
    return w;
  }

  const hparams& p_;
  const model_file* file_;
  const shard_plan& plan_;
  model& to_;
};

} // namespace

result<std::shared_ptr<const model>>
load_shard(const std::shared_ptr<const model>& whole, uint32_t ranks,
           uint32_t rank) {
  auto planned = plan_shard(*whole, ranks, rank);
  if (!planned)
    return planned.failure();
  auto& plan = *planned;
  auto& from = whole->w;
  // The shard keeps the whole model for what its views point to.
  struct held {
    std::shared_ptr<const model> whole;
    model shard;
  };
  auto owner = std::make_shared<held>();
  owner->whole = whole;
  auto& m = owner->shard;
  m.file = whole->file;
  m.params = whole->params;
  m.vocab = whole->vocab;
  m.digest =
      whole->digest + "-" + std::to_string(rank) + "of" + std::to_string(ranks);
  auto& p = m.params;
  p.heads = plan.heads.query.count;
  p.kv_heads = plan.heads.kv.count;
  p.ffn = std::max(plan.ffn.count, plan.shared_ffn.count);
  p.experts.ffn = plan.expert_ffn.count;
  auto cut = cutter{*whole, plan, m};
  for (auto& l : from.layers)
    m.w.layers.push_back(cut.cut(l));
  m.w.output_norm = from.output_norm;
  m.w.rope_factors = from.rope_factors;
  m.w.first_token = plan.tokens.first;
  m.w.output = cut.own(rows_of(from.output, plan.tokens));
  m.w.embedding = from.embedding.data == from.output.data
                      ? m.w.output
                      : rows_of(from.embedding, plan.tokens);
  return std::shared_ptr<const model>{owner, &m};
}

size_t weight_bytes(const model_weights& w) {
  auto sum = size_t{0};
  auto add = [&sum](const matrix_view& m) {
    if (!m.empty())
      sum += m.rows * m.row_bytes();
  };
  auto add_all = [&](const std::vector<matrix_view>& all) {
    std::for_each(all.begin(), all.end(), add);
  };
  auto add_floats = [&sum](const std::vector<float>& xs) {
    sum += xs.size() * sizeof(float);
  };
  add(w.output);
  if (w.embedding.data != w.output.data)
    add(w.embedding);
  add_floats(w.output_norm);
  add_floats(w.rope_factors);
  for (auto& l : w.layers) {
    for (auto* m : {&l.wq, &l.wk, &l.wv, &l.wo, &l.wq_a, &l.wkv_a, &l.gate,
                    &l.up, &l.down, &l.router})
      add(*m);
    add_all(l.wk_b);
    add_all(l.wv_b);
    for (auto& e : l.experts)
      add_all({e.gate, e.up, e.down});
    for (auto* v : {&l.attn_norm, &l.bq, &l.bk, &l.bv, &l.q_norm, &l.k_norm,
                    &l.attn_post_norm, &l.q_a_norm, &l.kv_a_norm, &l.ffn_norm,
                    &l.ffn_post_norm, &l.router_bias})
      add_floats(*v);
  }
  return sum;
}

matrix_view columns_of(const matrix_view& w, part columns) {
  if (w.empty())
    return {};
  auto block = block_values(w.type);
  assert(columns.first % block == 0 && columns.count % block == 0);
  auto at = size_t{columns.first} / block * block_bytes(w.type);
  return {w.type, w.rows, columns.count, w.data + at, nullptr, w.stride()};
}

result<void> gather_columns(collective& ranks, const float* mine, uint32_t rows,
                            uint32_t total, float* scratch, float* out) {
  auto n = ranks.ranks();
  auto counts = std::vector<size_t>(n);
  for (auto r = uint32_t{0}; r < n; ++r)
    counts[r] = size_t{rows} * part_of(total, n, r).count;
  auto* to = rows == 1 ? out : scratch;
  auto ok = ranks.all_gather({mine, counts[ranks.rank()]}, counts,
                             {to, size_t{rows} * total});
  if (!ok || rows == 1)
    return ok;
  for (auto r = uint32_t{0}; r < n; ++r) {
    auto columns = part_of(total, n, r);
    for (auto row = size_t{0}; row < rows; ++row, to += columns.count)
      std::copy_n(to, columns.count, out + row * total + columns.first);
  }
  return {};
}

} // namespace troupe
