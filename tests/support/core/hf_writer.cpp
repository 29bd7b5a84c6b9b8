#include "tests/support/core/hf_writer.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/model/hf_config.hpp"
#include "core/model/hf_model.hpp"
#include "core/tensor/quant.hpp"

namespace troupe::testing {

namespace {

std::string type_name(dtype t) {
  return t == dtype::f32 ? "F32" : t == dtype::f16 ? "F16" : "BF16";
}

// Pairs of a head lie side by side in GGUF's llama, half a head apart here.
byte_vector in_halves(const byte_vector& rows, size_t row_bytes,
                      uint32_t head_dim) {
  auto out = rows;
  for (auto r = size_t{0}; r * row_bytes < rows.size(); ++r) {
    auto within = r % head_dim;
    auto to = r - within + within / 2 + (within % 2) * head_dim / 2;
    std::memcpy(out.data() + to * row_bytes, rows.data() + r * row_bytes,
                row_bytes);
  }
  return out;
}

// Those of GGUF, each with what it is called here.
constexpr auto names =
    std::to_array<std::pair<std::string_view, std::string_view>>({
        {"attn_norm.", "input_layernorm."},
        {"attn_q.", "self_attn.q_proj."},
        {"attn_k.", "self_attn.k_proj."},
        {"attn_v.", "self_attn.v_proj."},
        {"attn_qkv.", "self_attn.qkv_proj."},
        {"attn_output.", "self_attn.o_proj."},
        {"attn_q_norm.", "self_attn.q_norm."},
        {"attn_k_norm.", "self_attn.k_norm."},
        {"ffn_norm.", "post_attention_layernorm."},
        {"ffn_gate.", "mlp.gate_proj."},
        {"ffn_up.", "mlp.up_proj."},
        {"ffn_down.", "mlp.down_proj."},
        {"token_embd.", "model.embed_tokens."},
        {"output_norm.", "model.norm."},
        {"output.", "lm_head."},
    });

std::string name_of(std::string_view gguf, bool fused) {
  auto at = std::string{};
  if (gguf.starts_with("blk.")) {
    auto end = gguf.find('.', 4);
    at = "model.layers." + std::string{gguf.substr(4, end - 3)};
    gguf.remove_prefix(end + 1);
  }
  if (fused && gguf == "ffn_up.weight")
    return at + "mlp.gate_up_proj.weight";
  for (auto& [from, to] : names)
    if (gguf.starts_with(from))
      return at + std::string{to} + std::string{gguf.substr(from.size())};
  throw std::logic_error{"no name for " + std::string{gguf}};
}

std::string class_of(const std::string& type) {
  auto out = type + "ForCausalLM";
  out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return out;
}

} // namespace

void safetensors_writer::add(std::string_view name, std::vector<uint64_t> shape,
                             dtype type, std::span<const float> values) {
  auto n = static_cast<uint32_t>(values.size());
  auto& t = tensors.emplace_back(
      tensor{std::string{name}, type_name(type), std::move(shape), {}});
  t.data.resize(size_t{n} * block_bytes(type));
  quantize_row(type, values.data(), n, t.data.data());
}

void safetensors_writer::remove(std::string_view name) {
  std::erase_if(tensors, [&](auto& t) { return t.name == name; });
}

safetensors_writer::tensor& safetensors_writer::at(std::string_view name) {
  for (auto& t : tensors)
    if (t.name == name)
      return t;
  throw std::out_of_range{std::string{name}};
}

std::string safetensors_writer::usual_header() const {
  auto out = std::string{"{\"__metadata__\":{\"format\":\"pt\"}"};
  auto offset = size_t{0};
  for (auto& t : tensors) {
    out += ",\"" + t.name + "\":{\"dtype\":\"" + t.type + "\",\"shape\":[";
    for (auto i = size_t{0}; i < t.shape.size(); ++i)
      out += (i > 0 ? "," : "") + std::to_string(t.shape[i]);
    out += "],\"data_offsets\":[" + std::to_string(offset) + ","
           + std::to_string(offset + t.data.size()) + "]}";
    offset += t.data.size();
  }
  return out + "}";
}

byte_vector safetensors_writer::bytes() const {
  auto text = header.value_or(usual_header());
  auto size = header_size.value_or(text.size());
  auto out = byte_vector(sizeof(size) + text.size());
  std::memcpy(out.data(), &size, sizeof(size));
  std::memcpy(out.data() + sizeof(size), text.data(), text.size());
  for (auto& t : tensors)
    out.insert(out.end(), t.data.begin(), t.data.end());
  return out;
}

void hf_model_files::put(std::string_view key, std::string_view value) {
  config += config.empty() ? "{" : ", ";
  config += "\"" + std::string{key} + "\": " + std::string{value};
}

void hf_model_files::write(const std::string& dir) const {
  auto text = config_text();
  write_file(dir + "/config.json", std::as_bytes(std::span{text}));
  write_file(dir + "/model.safetensors", weights.bytes());
}

hf_model_files tiny_hf_model(const tiny_model_options& o) {
  auto f = hf_model_files{};
  auto n = [](auto x) { return std::to_string(x); };
  f.put("model_type", "\"" + o.architecture + "\"");
  f.put("architectures", "[\"" + class_of(o.architecture) + "\"]");
  f.put("vocab_size", n(tiny_vocab_size));
  f.put("max_position_embeddings", n(o.context));
  f.put("hidden_size", n(o.hidden));
  f.put("num_hidden_layers", n(o.layers));
  f.put("intermediate_size", n(o.ffn));
  f.put("num_attention_heads", n(o.heads));
  f.put("num_key_value_heads", n(o.kv_heads));
  f.put("head_dim", n(o.head_dim));
  f.put("rms_norm_eps", "1e-05");
  f.put("rope_theta", "10000.0");
  f.put("hidden_act", "\"silu\"");
  f.put("attention_bias", o.qkv_bias ? "true" : "false");
  f.put("tie_word_embeddings", o.tied ? "true" : "false");
  for (auto& t : tiny_model_file(o).tensors) {
    auto shape = t.shape;
    std::reverse(shape.begin(), shape.end());
    auto data = t.data;
    auto turned = t.name.find("attn_q.") != t.name.npos
                  || t.name.find("attn_k.") != t.name.npos;
    if (o.architecture == "llama" && turned)
      data = in_halves(data, data.size() / shape[0], o.head_dim);
    f.weights.tensors.push_back({name_of(t.name, o.fused),
                                 type_name(static_cast<dtype>(t.type)), shape,
                                 data});
  }
  return f;
}

void write_hf_tokenizer(const std::string& dir, const vocabulary& v) {
  using nlohmann::json;
  auto file = json{
      {"version", "1.0"},
      {"added_tokens", json::array()},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       {{"type", "ByteLevel"},
        {"add_prefix_space", false},
        {"use_regex", true}}},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model",
       {{"type", "BPE"}, {"vocab", json::object()}, {"merges", v.merges}}}};
  for (auto i = size_t{0}; i < v.tokens.size(); ++i)
    if (v.kinds[i] == token_kind::control)
      file["added_tokens"].push_back({{"id", i},
                                      {"content", v.tokens[i]},
                                      {"single_word", false},
                                      {"lstrip", false},
                                      {"rstrip", false},
                                      {"normalized", false},
                                      {"special", true}});
    else
      file["model"]["vocab"][v.tokens[i]] = i;
  auto config = json{{"eos_token", v.tokens[static_cast<size_t>(v.eos)]},
                     {"add_bos_token", v.add_bos},
                     {"chat_template", v.chat_template}};
  auto put = [&](const char* name, const json& j) {
    auto text = j.dump();
    write_file(dir + "/" + name, std::as_bytes(std::span{text}));
  };
  put("tokenizer.json", file);
  put("tokenizer_config.json", config);
}

vocabulary numbered_tokens(uint32_t n) {
  auto v = vocabulary{};
  v.model = "gpt2";
  for (auto i = 0u; i < n; ++i)
    v.tokens.push_back("<" + std::to_string(i) + ">");
  return v;
}

result<std::shared_ptr<const model>>
load_with_numbered_tokens(const std::string& path) {
  auto dir = hf_directory::open(path);
  if (!dir)
    return dir.failure();
  auto config = read_hf_config(dir->config(), dir->config_path());
  if (!config)
    return config.failure();
  return read_hf_model(std::make_shared<const hf_directory>(*std::move(dir)),
                       numbered_tokens(config->params.vocab));
}

} // namespace troupe::testing
