#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/model/model.hpp"
#include "tests/support/core/gguf_writer.hpp"

namespace troupe::testing {

/// A llama of random weights. The defaults give well under 0.5 MB and answers
/// that vary; the sizes must suit the dtype's blocks.
struct tiny_model_options {
  uint64_t seed = 1; ///< of the weights
  dtype type = dtype::f32;
  uint32_t hidden = 64;
  uint32_t layers = 2;
  uint32_t heads = 4;
  uint32_t kv_heads = 2;
  uint32_t head_dim = 16; ///< written as a key only if not hidden / heads
  uint32_t ffn = 96;
  uint32_t context = 256;
  bool tied = false;         ///< no output.weight
  bool qkv_bias = false;     ///< biases of Q, K and V
  bool rope_factors = false; ///< rope_freqs.weight
  bool qk_norm = false;      ///< norms of the heads of Q and K
  bool fused = false;        ///< Q, K, V in one tensor, gate and up in one
  bool post_norms = false;   ///< norms of what is added to the stream
  /// Of which a token uses 2, 32 wide, in all layers but the first; 0: none.
  uint32_t experts = 0;
  uint32_t shared_experts = 0;
  bool router_bias = false;
  /// Latent attention: of the values of a head 8 have a position; those of V
  /// are 24; 32 stored values have none.
  bool latent = false;
  bool split = false;  ///< attn_k_b and attn_v_b, not attn_kv_b
  uint32_t q_rank = 0; ///< attn_q_a, attn_q_a_norm and attn_q_b, not attn_q
  std::string architecture = "llama";
};

/// Ids of the tiny vocabulary: 3 control tokens, the 256 bytes (in GPT-2's
/// order: "!" is the first), and what merges make.
constexpr token_id tiny_end_of_text = 0; ///< <|endoftext|>, also padding
constexpr token_id tiny_im_start = 1;    ///< <|im_start|>
constexpr token_id tiny_im_end = 2;      ///< <|im_end|>, the eos
constexpr uint32_t tiny_vocab_size = 300;

/// The file in memory, to be tampered with.
gguf_writer tiny_model_file(const tiny_model_options& options = {});

/// Only its `tokenizer.*` keys.
void add_tiny_vocabulary(gguf_writer& to);

void write_tiny_model(const std::string& path,
                      const tiny_model_options& options = {});

/// Written to a temporary file, loaded and unlinked; the mapping lives on.
/// Throws std::runtime_error if loading fails.
std::shared_ptr<const model> tiny_model(const tiny_model_options& options = {});

} // namespace troupe::testing
