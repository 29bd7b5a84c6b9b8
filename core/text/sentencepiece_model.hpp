#pragma once

#include <string_view>

#include "core/base/result.hpp"
#include "core/text/vocabulary.hpp"

namespace troupe {

/// The vocabulary in SentencePiece's `tokenizer.model`, a protocol buffer
/// (docs/text.md). unsupported for a model that is no BPE and for normalizers
/// that change text, bad_file for what is no such message.
result<vocabulary> parse_sentencepiece(std::string_view bytes);

} // namespace troupe
