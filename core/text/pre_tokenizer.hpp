#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace troupe {

/// How a byte-level BPE cuts text into words before it merges within each.
/// Each is the regular expression of the model family, written as a scanner.
enum class pre_tokenizer : uint8_t {
  /// GPT-2: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+
  /// |\s+(?!\S)|\s+
  gpt2,
  /// Llama 3: (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+
  /// |\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
  llama_bpe,
  /// Qwen 2: as Llama 3, but digits one by one.
  qwen2,
};

/// The name in a GGUF's `tokenizer.ggml.pre`.
std::optional<pre_tokenizer> find_pre_tokenizer(std::string_view name);

/// The end of the word that begins at `at`; the words of a text are all of
/// it. Bytes that are not UTF-8 count as symbols, each for itself.
/// REQUIRES: at < text.size().
size_t next_word(pre_tokenizer pre, std::string_view text, size_t at);

} // namespace troupe
