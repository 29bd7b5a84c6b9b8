#pragma once

#include <array>
#include <cstdint>

#include "core/text/tokenizer.hpp"

namespace troupe {

/// SentencePiece's BPE (Kudo and Richardson, arXiv:1808.06226): characters are
/// joined as long as two neighbours spell a token, the one of the highest
/// score first. Spaces are spelled U+2581; characters that are no token become
/// byte tokens, or the unknown token where the vocabulary has no byte tokens.
class spm_tokenizer final : public tokenizer {
public:
  explicit spm_tokenizer(vocabulary vocab);

protected:
  void encode_section(std::string_view text, bool first,
                      std::vector<token_id>& out) const override;
  void append_text(token_id id, std::string& out) const override;
  result<void> index() override;

private:
  class merger;
  struct piece {
    token_id id;
    float score;
  };

  void index_pieces();
  const piece* find_piece(std::string_view text) const;
  void encode_words(std::string_view text, merger& merge) const;
  void emit(std::string_view text, std::vector<token_id>& out) const;

  // What text can merge into: no control, unknown or byte token.
  std::unordered_map<std::string_view, piece> pieces_;
  token_trie user_defined_; // with spaces spelled U+2581
  std::array<token_id, 256> byte_ids_{};
  bool has_bytes_ = false;
  size_t longest_ = 0; // of pieces_, in bytes
  // No piece has a space after something else, so that words are independent.
  bool splits_at_spaces_ = true;
};

} // namespace troupe
