#pragma once

#include <array>
#include <cstdint>

#include "core/text/pre_tokenizer.hpp"
#include "core/text/tokenizer.hpp"

namespace troupe {

/// Which pairs of tokens merge, into what, and how early.
class merge_table {
public:
  struct merge {
    uint32_t rank = UINT32_MAX; ///< lower goes first; UINT32_MAX: no merge
    token_id whole = -1;
  };

  explicit merge_table(size_t merges = 0);

  /// False if the pair is there already. REQUIRES: at most as many as said.
  bool insert(token_id left, token_id right, merge m);

  merge find(token_id left, token_id right) const;

private:
  struct slot {
    uint64_t pair = UINT64_MAX;
    merge what;
  };
  size_t slot_of(uint64_t pair) const;

  std::vector<slot> slots_; // a power of two, at most half of them taken
};

/// BPE (Sennrich et al., arXiv:1508.07909): text is cut into words, each
/// word's symbols are tokens, and the neighbours with the best-ranked merge are
/// joined until there are none. Symbols are the bytes, as in GPT-2, spelled in
/// the vocabulary by 256 printable characters; or, in a vocabulary that
/// SentencePiece has made ("bpe"), the characters, those that are no token as
/// byte tokens, and a space is spelled U+2581.
class bpe_tokenizer final : public tokenizer {
public:
  bpe_tokenizer(vocabulary vocab, pre_tokenizer pre);

protected:
  void encode_section(std::string_view text, bool first,
                      std::vector<token_id>& out) const override;
  void append_text(token_id id, std::string& out) const override;
  result<void> index() override;

private:
  result<void> index_merges();
  result<void> index_alphabet();
  void encode_piece(std::string_view text, bool first,
                    std::vector<token_id>& out) const;
  void encode_word(std::string_view word, std::vector<token_id>& out) const;
  // The symbols of a word; `most` of them at most.
  size_t start(std::string_view word, token_id* ids) const;
  void merge_short(std::string_view word, std::vector<token_id>& out) const;
  void merge_long(std::string_view word, std::vector<token_id>& out) const;

  pre_tokenizer pre_;
  bool by_character_;
  bool splits_at_spaces_ = false; ///< words go on at spaces, see `index_merges`
  std::array<token_id, 256> byte_ids_{};
  std::string lacking_; ///< bytes without a token; none of them is UTF-8
  token_trie user_defined_;
  merge_table merges_;
};

} // namespace troupe
