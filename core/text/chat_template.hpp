#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/text/tokenizer.hpp"

namespace troupe {

struct chat_message {
  std::string role; ///< "system", "user" or "assistant"
  std::string content;
};

enum class chat_format : uint8_t { chatml, llama2, llama3, plain };

/// Recognises the Jinja source of a common chat template. A file without one
/// is `plain`; one that is not recognised is `unsupported`.
result<chat_format> detect_chat_format(const vocabulary& vocab);

/// The tokens of a conversation, up to where the assistant speaks next. The
/// template's own control tokens are parsed, the contents never are.
/// invalid_argument for an unknown role or an empty conversation.
result<std::vector<token_id>> encode_chat(const tokenizer& text,
                                          chat_format format,
                                          std::span<const chat_message> turns);

} // namespace troupe
