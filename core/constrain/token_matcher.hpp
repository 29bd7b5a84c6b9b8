#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/constrain/grammar_machine.hpp"
#include "core/constrain/token_automaton.hpp"

namespace troupe::constrain {

/// One output by a grammar, token by token. Its state is a function of the
/// tokens that were accepted: whoever accepts the same ones has the same masks.
/// Cheap to make. Not thread-safe; many may share an automaton.
class token_matcher {
public:
  /// Tokens that can be taken back.
  static constexpr auto most_rollback = size_t{64};

  explicit token_matcher(std::shared_ptr<const token_automaton> a);
  token_matcher(const token_matcher&) = delete;
  token_matcher& operator=(const token_matcher&) = delete;
  token_matcher(token_matcher&&) = default;

  /// Which tokens may come next, a bit a token. At least one; none once an end
  /// token was accepted. REQUIRES: `words` has vocabulary().words().
  void mask(std::span<uint64_t> words);

  /// Whether the token may come next; then it has. Exactly those of the mask.
  bool accept(token_id token);
  /// Whether the mask has it; tries its bytes.
  bool allows(token_id token);

  /// Whether the output may end here.
  bool complete() const { return finished_ || state_.done; }
  /// Whether it has ended.
  bool finished() const { return finished_; }

  /// Takes the last `n` tokens back. False, and nothing is, if there were not
  /// so many or it is more than `most_rollback`.
  bool rollback(size_t n);

  /// Bytes that must come next, whatever the tokens: at most so many. A caller
  /// may encode them instead of asking the model; the last token of those may
  /// be one that the model would have gone on with.
  std::string forced(size_t most);

  const token_vocabulary& vocabulary() const {
    return automaton_->vocabulary();
  }
  size_t tokens() const { return tokens_; }
  /// Of what grows with the output.
  size_t memory_bytes() const;

private:
  struct snapshot {
    grammar_state state;
    frame_pool::mark pool;
    size_t text = 0;
    bool finished = false;
  };

  bool step(token_id token, grammar_state& to);
  void undo(const frame_pool::mark& pool, size_t text);
  void fill(std::span<uint64_t> words);
  bool begins_plain(const grammar_item& item) const;
  bool add_plain(std::span<uint64_t> words) const;
  /// Plain characters that may come at a place, up to `most_plain`.
  uint32_t plain_room(const grammar_item& item) const;
  bool takes_all_plain(const grammar_state& s) const;
  void walk(const token_tree& tree, bool all_plain, std::span<uint64_t> words);
  void drop_repeated(std::span<uint64_t> words);
  void drop_repeated(std::string_view rest, std::span<uint64_t> words);

  std::shared_ptr<const token_automaton> automaton_;
  grammar_machine machine_;
  grammar_state state_;
  bool finished_ = false;
  size_t tokens_ = 0;
  std::vector<snapshot> before_;    // a ring, by token
  std::vector<grammar_state> path_; // of a walk
};

} // namespace troupe::constrain
