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

/// How a conversation is written down; docs/text.md gives each to the space.
enum class chat_format : uint8_t { chatml, llama2, llama3, plain };

/// "chatml", "llama2", "llama3", "plain".
std::string_view to_string(chat_format format);

/// Recognises the Jinja source of a common chat template by the markers in it;
/// what else the template does (default system lines, tools) is not read. A
/// file without one is `plain`; unsupported for one that is not recognised or
/// whose markers are not control tokens of the vocabulary.
result<chat_format> detect_chat_format(const vocabulary& vocab);

/// The tokens of a conversation, up to where the assistant speaks next. The
/// template's own control tokens are parsed, the contents never are.
/// invalid_argument for an unknown role, an empty conversation, and what the
/// format cannot express (Llama-2: roles that do not alternate from user to
/// user, contents that hold one of its markers, which are ordinary text);
/// unsupported if the vocabulary lacks the format's control tokens.
result<std::vector<token_id>> encode_chat(const tokenizer& text,
                                          chat_format format,
                                          std::span<const chat_message> turns);

} // namespace troupe
