#include <algorithm>
#include <cmath>

#include "core/model/read_parts.hpp"
#include "core/tensor/quant.hpp"

namespace troupe {

namespace {

// Starts of names that belong to the architectures of this build; a tensor of
// such a name that nothing asked for would change the model's results. Others
// are extra heads and the like.
constexpr auto own_names = std::to_array<std::string_view>(
    {"blk.", "output", "token_", "rope_", "position_"});

// Left by old converters; rope.freq_base says the same.
constexpr auto needless = std::string_view{".attn_rot_embd"};

constexpr auto encodings = std::string_view{
    "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K or Q6_K"};

// Looks up tensors; after the first error the rest is skipped and what is
// handed out is empty.
class tensor_reader {
public:
  explicit tensor_reader(const gguf_file& file) : file_(file) {
    used_.resize(file.tensors().size());
  }

  bool failed() const { return static_cast<bool>(error_); }
  const error& failure() const { return error_; }

  void stop(errc code, const std::string& reason) {
    if (!failed())
      error_ = file_.complain(code, reason);
  }

  bool has(std::string_view name) const { return file_.find_tensor(name); }

  /// [rows, cols].
  matrix_view matrix(const std::string& name, uint32_t rows, uint32_t cols) {
    auto shape = std::to_string(cols) + " x " + std::to_string(rows);
    auto tensor = take(name, shape, rows, cols);
    if (!tensor)
      return {};
    return {*as_dtype(tensor->type), rows, cols, tensor->data.data()};
  }

  /// [size], finite.
  std::vector<float> vector(const std::string& name, uint32_t size) {
    auto tensor = take(name, std::to_string(size), 1, size);
    if (!tensor)
      return {};
    auto out = std::vector<float>(size);
    dequantize_row(*as_dtype(tensor->type), tensor->data.data(), size,
                   out.data());
    if (!std::all_of(out.begin(), out.end(),
                     [](float x) { return std::isfinite(x); }))
      stop(errc::bad_file, "tensor " + name + " has infinities or NaN");
    return out;
  }

  void refuse_unused() {
    for (auto i = size_t{0}; i < used_.size(); ++i) {
      auto name = file_.tensors()[i].name;
      auto own = std::any_of(own_names.begin(), own_names.end(),
                             [&](auto s) { return name.starts_with(s); });
      if (own && !used_[i] && name.find(needless) == name.npos)
        stop(errc::unsupported, "tensor " + printable(name)
                                    + " has no place in this architecture as "
                                      "this build implements it");
    }
  }

private:
  const gguf_tensor* take(const std::string& name, const std::string& shape,
                          uint64_t rows, uint64_t cols) {
    if (failed())
      return nullptr;
    auto tensor = file_.find_tensor(name);
    if (!tensor) {
      stop(errc::bad_file, "tensor " + name + " is missing, expected " + shape);
      return nullptr;
    }
    used_[static_cast<size_t>(tensor - file_.tensors().data())] = true;
    // Sizes of 1 beyond the rows mean nothing.
    if (tensor->cols() != cols || tensor->shape[1] != rows
        || tensor->rows() != rows) {
      stop(errc::bad_file, "tensor " + name + " has shape "
                               + tensor->shape_name() + ", expected " + shape);
      return nullptr;
    }
    if (!as_dtype(tensor->type)) {
      stop(errc::unsupported, "tensor " + name + " has type "
                                  + tensor_type_name(tensor->type)
                                  + ", expected " + std::string{encodings});
      return nullptr;
    }
    return tensor;
  }

  const gguf_file& file_;
  std::vector<bool> used_;
  error error_;
};

matrix_view rows_of(const matrix_view& all, uint32_t first, uint32_t n) {
  if (all.empty()) // it could not be read
    return {};
  return {all.type, n, all.cols, all.row(first)};
}

layer_weights read_layer(tensor_reader& from, const architecture& arch,
                         const hparams& p, uint32_t number) {
  auto at = "blk." + std::to_string(number) + ".";
  auto q = p.heads * p.head_dim;
  auto kv = p.kv_heads * p.head_dim;
  auto l = layer_weights{};
  l.attn_norm = from.vector(at + "attn_norm.weight", p.hidden);
  if (arch.fused) {
    auto all = from.matrix(at + "attn_qkv.weight", q + 2 * kv, p.hidden);
    l.wq = rows_of(all, 0, q);
    l.wk = rows_of(all, q, kv);
    l.wv = rows_of(all, q + kv, kv);
  } else {
    l.wq = from.matrix(at + "attn_q.weight", q, p.hidden);
    l.wk = from.matrix(at + "attn_k.weight", kv, p.hidden);
    l.wv = from.matrix(at + "attn_v.weight", kv, p.hidden);
  }
  l.wo = from.matrix(at + "attn_output.weight", p.hidden, q);
  auto biased =
      arch.qkv_bias == presence::always
      || (arch.qkv_bias == presence::maybe
          && (from.has(at + "attn_q.bias") || from.has(at + "attn_k.bias")
              || from.has(at + "attn_v.bias")));
  if (biased) {
    l.bq = from.vector(at + "attn_q.bias", q);
    l.bk = from.vector(at + "attn_k.bias", kv);
    l.bv = from.vector(at + "attn_v.bias", kv);
  }
  if (arch.qk_norm == presence::always) {
    l.q_norm = from.vector(at + "attn_q_norm.weight", p.head_dim);
    l.k_norm = from.vector(at + "attn_k_norm.weight", p.head_dim);
  }
  l.ffn_norm = from.vector(at + "ffn_norm.weight", p.hidden);
  if (arch.fused) {
    auto both = from.matrix(at + "ffn_up.weight", 2 * p.ffn, p.hidden);
    l.gate = rows_of(both, 0, p.ffn);
    l.up = rows_of(both, p.ffn, p.ffn);
  } else {
    l.gate = from.matrix(at + "ffn_gate.weight", p.ffn, p.hidden);
    l.up = from.matrix(at + "ffn_up.weight", p.ffn, p.hidden);
  }
  l.down = from.matrix(at + "ffn_down.weight", p.hidden, p.ffn);
  return l;
}

} // namespace

result<model_weights> read_weights(const gguf_file& file,
                                   const architecture& arch, const hparams& p) {
  auto from = tensor_reader{file};
  auto w = model_weights{};
  w.embedding = from.matrix("token_embd.weight", p.vocab, p.hidden);
  for (auto i = 0u; i < p.layers && !from.failed(); ++i)
    w.layers.push_back(read_layer(from, arch, p, i));
  w.output_norm = from.vector("output_norm.weight", p.hidden);
  w.output = from.has("output.weight")
                 ? from.matrix("output.weight", p.vocab, p.hidden)
                 : w.embedding;
  if (from.has("rope_freqs.weight")) {
    w.rope_factors = from.vector("rope_freqs.weight", p.rope_dim / 2);
    if (!std::all_of(w.rope_factors.begin(), w.rope_factors.end(),
                     [](float x) { return x > 0.f; }))
      from.stop(errc::bad_file,
                "tensor rope_freqs.weight has factors that are not positive");
  }
  if (p.yarn.factor != 1.f) {
    auto yarn = yarn_factors(p.yarn, p.rope_dim, p.rope_base);
    w.rope_factors.resize(yarn.size(), 1.f);
    for (auto i = size_t{0}; i < yarn.size(); ++i)
      w.rope_factors[i] *= yarn[i];
  }
  from.refuse_unused();
  if (from.failed())
    return from.failure();
  return w;
}

} // namespace troupe
