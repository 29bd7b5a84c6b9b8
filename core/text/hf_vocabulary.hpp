#pragma once

#include <optional>
#include <string>

#include "core/base/result.hpp"
#include "core/text/vocabulary.hpp"

namespace troupe {

/// The files of a Hugging Face model that describe its tokenizer, as text;
/// no value for one that is not there.
struct hf_files {
  std::optional<std::string> tokenizer_json;
  std::optional<std::string> tokenizer_model; ///< SentencePiece's
  std::optional<std::string> tokenizer_config;
  std::optional<std::string> special_tokens_map;
  std::optional<std::string> added_tokens;
  std::optional<std::string> generation_config;
  std::optional<std::string> chat_template; ///< Jinja
};

/// The vocabulary of a Hugging Face directory: `tokenizer.json` (BPE), or else
/// `tokenizer.model` (SentencePiece's BPE), and the configurations beside
/// them. It has `model_vocab` tokens, the rows of the model's embedding: those
/// that the files do not name are unused. 0: as many as they name.
/// io_error, bad_file, or unsupported, with the file's path and what in it.
result<vocabulary> read_hf_vocabulary(const std::string& dir,
                                      uint32_t model_vocab);

/// The same, of files in memory; the errors begin with a file's name.
result<vocabulary> parse_hf_vocabulary(const hf_files& files,
                                       uint32_t model_vocab);

} // namespace troupe
