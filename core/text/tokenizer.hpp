#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/ids.hpp"
#include "core/base/result.hpp"
#include "core/text/vocabulary.hpp"

namespace troupe {

struct encode_options {
  /// Put the beginning (and end) token where the vocabulary says so.
  bool add_special = false;
  /// Read "<|im_end|>" and the like as the control tokens they spell. Off for
  /// text from users: nobody outside may forge a turn.
  bool parse_special = false;
};

/// Text to tokens and back; immutable and thread-safe.
class tokenizer {
public:
  /// Checks the vocabulary and indexes it. bad_file for one that contradicts
  /// itself, unsupported for a model or pre-tokenizer that is not implemented.
  static result<std::shared_ptr<const tokenizer>> make(vocabulary vocab);

  virtual ~tokenizer() = default;

  /// Any bytes are accepted; what is not UTF-8 becomes byte tokens (or, where
  /// the vocabulary lacks those, the unknown token).
  std::vector<token_id> encode(std::string_view text,
                               encode_options options = {}) const;

  /// Appends the token's bytes; they need not be whole characters. Control
  /// tokens append nothing unless `with_control`, ids out of range nothing.
  void append_piece(token_id id, std::string& out,
                    bool with_control = false) const;

  /// All pieces; SPM's leading space of a text is dropped.
  std::string decode(std::span<const token_id> ids,
                     bool with_control = false) const;

  bool is_control(token_id id) const;
  /// Ends a generation: eos, eot, and the well-known end-of-turn tokens.
  bool is_end(token_id id) const;
  /// All of those.
  const std::vector<token_id>& end_tokens() const { return end_tokens_; }
  /// The token whose vocabulary entry is exactly `text`.
  std::optional<token_id> find(std::string_view text) const;
  uint32_t size() const { return static_cast<uint32_t>(vocab_.tokens.size()); }
  const vocabulary& vocab() const { return vocab_; }
