// Reads any bytes as the config.json of a Hugging Face model; whatever they
// are, the answer is within the bounds of hparams or an error of one line.

#include <cmath>
#include <cstdlib>

#include "core/model/hf_config.hpp"

using namespace troupe;

namespace {

void require(bool x) {
  if (!x)
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto bytes = const_bytes{reinterpret_cast<const std::byte*>(data), size};
  auto config = read_hf_config(bytes, "fuzz");
  if (!config) {
    auto& text = config.failure().message;
    require(text.starts_with("fuzz: "));
    require(text.find('\n') == std::string::npos);
    require(text.size() < 1000);
    return 0;
  }
  auto& p = config->params;
  require(p.heads > 0 && p.kv_heads > 0 && p.heads % p.kv_heads == 0);
  require(p.head_dim % 2 == 0 && p.rope_dim % 2 == 0);
  require(p.rope_dim > 0 && p.rope_dim <= p.head_dim);
  require(p.hidden > 0 && p.layers > 0 && p.ffn > 0 && p.vocab > 0);
  require(p.context > 0 && p.rope_base > 0 && std::isfinite(p.rope_base));
  require(p.rope_magnitude > 0 && std::isfinite(p.rope_magnitude));
  require(p.rope_scale > 0 && std::isfinite(p.rope_scale));
  require(p.norm_eps > 0 && std::isfinite(p.norm_eps));
  auto& factors = config->rope_factors;
  require(factors.empty() || factors.size() == p.rope_dim / 2);
  for (auto x : factors)
    require(x > 0 && std::isfinite(x));
  return 0;
}
