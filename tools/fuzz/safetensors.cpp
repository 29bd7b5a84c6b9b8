// Reads any bytes as a safetensors file, and as the weights of a small model;
// whatever they are, the answer lies inside them or is an error of one line.

#include <cstdlib>

#include "core/model/hf_weights.hpp"

using namespace troupe;

namespace {

void require(bool x) {
  if (!x)
    std::abort();
}

void check(const error& e) {
  require(e.message.starts_with("fuzz: "));
  require(e.message.find('\n') == std::string::npos);
}

// Of the seeds: a layer of 8 values, 2 heads of 4 and 1 KV head, 12 in the
// feed-forward, 10 tokens.
hf_model_config config_of_seeds() {
  constexpr auto text = std::string_view{
      R"({"model_type": "llama", "vocab_size": 10, "hidden_size": 8,
      "max_position_embeddings": 32, "num_hidden_layers": 1,
      "num_attention_heads": 2, "num_key_value_heads": 1,
      "intermediate_size": 12, "rms_norm_eps": 1e-5, "attention_bias": true,
      "tie_word_embeddings": true})"};
  auto config = read_hf_config(std::as_bytes(std::span{text}), "fuzz");
  require(config.ok());
  return *config;
}

// Reads each byte; returns something that depends on them.
unsigned touch(const matrix_view& m) {
  auto sum = 0u;
  for (auto i = size_t{0}; i < m.rows * m.row_bytes(); ++i)
    sum += std::to_integer<unsigned>(m.data[i]);
  return sum;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto config = config_of_seeds();
  auto bytes = const_bytes{reinterpret_cast<const std::byte*>(data), size};
  auto file = safetensors_file::parse(bytes, "fuzz");
  if (!file) {
    check(file.failure());
    return 0;
  }
  for (auto& t : file->tensors()) {
    require(t.offset <= size && t.data.size() <= size - t.offset);
    require(t.data.data() == bytes.data() + t.offset);
    if (as_dtype(t))
      require(t.data.size() == t.values() * block_bytes(*as_dtype(t)));
  }
  auto files = std::vector<safetensors_file>{};
  files.push_back(*std::move(file));
  auto dir = hf_directory::of("fuzz", {}, std::move(files));
  require(dir.ok()); // names within one file are unique
  for (auto& e : dir->tensors())
    require(dir->find(e.tensor->name) == &e);
  auto w = read_hf_weights(*dir, config);
  if (!w) {
    check(w.failure());
    return 0;
  }
  auto sum = touch(w->embedding) + touch(w->output);
  for (auto& l : w->layers)
    for (auto x : {&l.wq, &l.wk, &l.wv, &l.wo, &l.gate, &l.up, &l.down})
      sum += touch(*x);
  [[maybe_unused]] static volatile unsigned sink;
  sink = sum;
  return 0;
}
