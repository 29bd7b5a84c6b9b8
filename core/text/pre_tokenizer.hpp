#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/result.hpp"
#include "core/text/word_regex.hpp"

namespace troupe {

/// What a name in a GGUF's `tokenizer.ggml.pre` stands for.
struct word_rules {
  /// Regular expressions that cut text into words, one after another.
  std::vector<std::string> patterns;
  /// A word that is a token is that token, whatever the merges say.
  bool ignore_merges = false;
};

std::optional<word_rules> find_pre_tokenizer(std::string_view name);

/// The expressions of GPT-2, Llama 3 and Qwen 2, which others build upon.
extern const std::string_view gpt2_words;
extern const std::string_view llama3_words;
extern const std::string_view qwen2_words;

/// How a BPE cuts text into words before it merges within each. Bytes that are
/// not UTF-8 count as symbols, each for itself. Immutable.
class pre_tokenizer {
public:
  /// Each expression cuts the pieces that the one before has left: into what
  /// it matches and what stands between. unsupported, as `word_regex` is.
  static result<pre_tokenizer> make(const std::vector<std::string>& patterns);

  /// Where the words of `text` end, ascending; together they are all of it.
  std::vector<size_t> cut(std::string_view text) const;

private:
  // Expressions written as scanners, for speed.
  enum class scanner : uint8_t { gpt2, llama3, qwen2 };
  using step = std::variant<scanner, word_regex>;

  static void cut_by(scanner how, std::string_view text, size_t base,
                     std::vector<size_t>& ends);

  std::vector<step> steps_;
};

} // namespace troupe
