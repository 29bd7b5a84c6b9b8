#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "actors/protocol/messages.hpp"
#include "core/constrain/token_matcher.hpp"
#include "core/model/model.hpp"
#include "core/sampling/fused_sampler.hpp"

namespace troupe {

/// Chooses the tokens of a node's sequences, of those that have a form among
/// what it allows. Keeps no state but what follows from the tokens before, and
/// is made anew where it is missing: a sequence may come from anywhere.
class formed_sampler {
public:
  /// `weights`: of the node, for the vocabulary.
  explicit formed_sampler(std::shared_ptr<const model> weights)
      : weights_(std::move(weights)) {}

  /// As `fused_sampler::sample`, at position `generated.size()`. Log
  /// probabilities of a sequence with a form are those among what it allows.
  /// Errors: invalid_argument, too, if the form is none.
  result<sampled> sample(std::span<const float> logits,
                         const sequence_spec& spec,
                         std::span<const token_id> generated);

  /// That are kept for the next token.
  size_t sequences() const { return sequences_.size(); }

  // Grammars, and sequences, that are kept at most.
  static constexpr auto most_grammars = size_t{64};
  static constexpr auto most_sequences = size_t{1024};

private:
  using automaton = std::shared_ptr<const constrain::token_automaton>;

  struct grammar {
    answer_form form;
    automaton tokens;
  };
  struct progress {
    automaton tokens;
    std::vector<token_id> accepted;
    constrain::token_matcher matcher;
    uint64_t used = 0;
  };

  result<automaton> automaton_of(const answer_form& f);
  result<progress*> progress_of(const sequence_spec& spec,
                                std::span<const token_id> generated);
  void forget_some();
  void mask(std::span<const float> logits, progress& p);

  std::shared_ptr<const model> weights_;
  fused_sampler sampler_;
  std::shared_ptr<const constrain::token_vocabulary> vocabulary_;
  std::list<grammar> grammars_; ///< the last used first
  std::map<seq_id, progress> sequences_;
  uint64_t now_ = 0;
  std::vector<uint64_t> words_;
  std::vector<float> masked_;
};

} // namespace troupe
