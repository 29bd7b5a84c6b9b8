#pragma once

#include <chrono>
#include <optional>
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

/// The tokens of a conversation, up to where the assistant speaks next: what
/// the vocabulary's chat template writes (docs/text.md), or without one the
/// contents, with an empty line between them. The template's own control
/// tokens are parsed, those in contents never are. `now` is for templates that
/// write the date. invalid_argument for an unknown role, an empty
/// conversation, what the template refuses, and contents that hold a marker of
/// the template that is ordinary text in the vocabulary; otherwise as
/// `jinja::parse` and `jinja::render`.
result<std::vector<token_id>>
encode_chat(const tokenizer& text, std::span<const chat_message> turns,
            std::optional<std::chrono::sys_seconds> now = {});

} // namespace troupe
