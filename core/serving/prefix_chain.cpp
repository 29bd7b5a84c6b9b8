#include "core/serving/prefix_chain.hpp"

#include <xxhash.h>

namespace troupe {

std::vector<uint64_t> prefix_chain(std::string_view salt,
                                   std::span<const token_id> tokens,
                                   uint32_t block_tokens) {
  auto chain = std::vector<uint64_t>{};
  auto digest = XXH3_64bits(salt.data(), salt.size());
  while (block_tokens > 0 && tokens.size() >= block_tokens) {
    digest = XXH3_64bits_withSeed(tokens.data(),
                                  block_tokens * sizeof(token_id), digest);
    chain.push_back(digest);
    tokens = tokens.subspan(block_tokens);
  }
  return chain;
}

} // namespace troupe
