#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/ids.hpp"
#include "core/base/result.hpp"

namespace troupe::load {

/// One request of a trace.
struct row {
  uint32_t prompt = 0; ///< tokens
  uint32_t answer = 0;
  /// Equal numbers stand for equal stretches of prompts, of `block` tokens
  /// each; empty: shared with nobody.
  std::vector<uint64_t> blocks;
};

struct trace {
  std::vector<row> rows;
  uint32_t block = 0; ///< tokens
};

/// Reads a CSV file with the columns ContextTokens and GeneratedTokens, as of
/// the Azure LLM inference traces (Patel et al., "Splitwise", 2024), or, if its
/// name ends with .jsonl, lines with input_length, output_length and hash_ids,
/// as of Mooncake's (Qin et al. 2024). Errors: io_error, bad_file.
result<trace> read_trace(const std::string& path);

/// The same with lengths so much shorter that the longest prompt takes three
/// quarters of `context` tokens, and the longest answer the rest; no length
/// becomes 0. Blocks that are shared become blocks of KV; prompts that are too
/// long then lose their ends.
trace scaled(trace t, uint32_t context);

/// The prompt of row `i`: tokens from `first` on, `count` different ones.
std::vector<token_id> prompt_of(const trace& t, size_t i, token_id first,
                                uint32_t count);

} // namespace troupe::load
