#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/ids.hpp"
#include "core/base/result.hpp"
#include "core/text/token_trie.hpp"
#include "core/text/vocabulary.hpp"

namespace troupe {

namespace jinja {
struct node;
}

/// Bytes [begin, end) of a text.
struct text_range {
  size_t begin = 0;
  size_t end = 0;
};

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
  /// itself, unsupported for a model or pre-tokenizer that is not implemented;
  /// both in one line, to which the caller adds the file's name.
  static result<std::shared_ptr<const tokenizer>> make(vocabulary vocab);

  tokenizer(const tokenizer&) = delete;
  tokenizer& operator=(const tokenizer&) = delete;
  virtual ~tokenizer() = default;

  /// Any bytes are accepted; what is not UTF-8 becomes byte tokens (or, where
  /// the vocabulary lacks those, U+FFFD in a BPE and the unknown token in an
  /// SPM). User-defined tokens are
  /// read wherever they are spelled. Control tokens come out only of
  /// `add_special` and `parse_special`, whatever the text.
  /// REQUIRES: text is shorter than 1 GiB.
  std::vector<token_id> encode(std::string_view text,
                               encode_options options = {}) const;

  /// The same, with control tokens read where all of one lies in one of the
  /// ranges, which ascend.
  std::vector<token_id> encode(std::string_view text,
                               std::span<const text_range> trusted) const;

  /// Appends the token's bytes; they need not be whole characters. Control
  /// tokens append nothing unless `with_control`, ids out of range nothing.
  void append_piece(token_id id, std::string& out,
                    bool with_control = false) const;

  /// All pieces; SPM's leading space of a text is dropped.
  std::string decode(std::span<const token_id> ids,
                     bool with_control = false) const;

  /// Whether encoding puts a space before a text, which `decode` drops.
  bool adds_space() const { return adds_space_; }

  bool is_control(token_id id) const;
  /// Ends a generation: eos, eot, and the well-known end-of-turn tokens.
  bool is_end(token_id id) const;
  /// All of those, ascending.
  const std::vector<token_id>& end_tokens() const { return end_tokens_; }
  /// The token whose vocabulary entry is exactly `text`. Unused tokens are not
  /// found.
  std::optional<token_id> find(std::string_view text) const;
  uint32_t size() const { return static_cast<uint32_t>(vocab_.tokens.size()); }
  const vocabulary& vocab() const { return vocab_; }
  /// The vocabulary's chat template, parsed; null if there is none. Fails as
  /// `jinja::parse`.
  const result<std::shared_ptr<const jinja::node>>& chat_template() const {
    return chat_template_;
  }

protected:
  explicit tokenizer(vocabulary vocab);

  /// Tokens of a text in which control tokens mean nothing; `first` if nothing
  /// stands before it.
  virtual void encode_section(std::string_view text, bool first,
                              std::vector<token_id>& out) const = 0;

  /// Bytes of a token that is not control.
  virtual void append_text(token_id id, std::string& out) const = 0;

  /// Fills the indexes; called once by `make`.
  virtual result<void> index();

  /// The byte tokens; false if there are none. bad_file unless there are none
  /// or one for each byte.
  result<bool> index_bytes(std::array<token_id, 256>& ids) const;

  /// Where the text before a special token ends that begins at `end`, which
  /// may swallow white space, and where the text after it begins.
  size_t end_before(token_id id, std::string_view text, size_t begin,
                    size_t end) const;
  size_t begin_after(token_id id, std::string_view text, size_t end) const;

  token_kind kind(token_id id) const {
    return vocab_.kinds[static_cast<size_t>(id)];
  }
  const std::string& spelling(token_id id) const {
    return vocab_.tokens[static_cast<size_t>(id)];
  }
  bool in_range(token_id id) const {
    return id >= 0 && static_cast<size_t>(id) < vocab_.tokens.size();
  }

  vocabulary vocab_; ///< checked; `kinds` is always filled
  bool adds_space_ = false;

private:
  void index_ends();
  void encode_into(std::string_view text, std::span<const text_range> trusted,
                   std::vector<token_id>& ids) const;

  std::unordered_map<std::string_view, token_id> ids_; ///< into vocab_.tokens
  token_trie special_; ///< control, unknown and user-defined tokens
  std::vector<token_id> end_tokens_;
  result<std::shared_ptr<const jinja::node>> chat_template_{nullptr};
};

} // namespace troupe
