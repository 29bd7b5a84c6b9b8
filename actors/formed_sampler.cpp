#include "actors/formed_sampler.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "actors/form_grammar.hpp"

namespace troupe {

result<sampled> formed_sampler::sample(std::span<const float> logits,
                                       const sequence_spec& spec,
                                       std::span<const token_id> generated) {
  auto draw = [&](std::span<const float> from) {
    return sampler_.sample(from, spec.prompt, generated, generated.size(),
                           spec.sampling);
  };
  if (spec.form.is_free())
    return draw(logits);
  auto p = progress_of(spec, generated);
  if (!p)
    return p.failure();
  mask(logits, **p);
  auto token = draw(masked_);
  if (!token)
    return token;
  if (!(*p)->matcher.accept(token->id))
    return fail(errc::invalid_argument,
                "a token that the answer's form does not allow was chosen");
  (*p)->accepted.push_back(token->id);
  return token;
}

result<formed_sampler::automaton>
formed_sampler::automaton_of(const answer_form& f) {
  auto known = std::ranges::find(grammars_, f, &grammar::form);
  if (known != grammars_.end()) {
    grammars_.splice(grammars_.begin(), grammars_, known);
    return known->tokens;
  }
  if (!vocabulary_) {
    auto v = vocabulary_of(weights_);
    if (!v)
      return v.failure();
    vocabulary_ = std::move(*v);
  }
  auto g = grammar_of(f);
  if (!g)
    return g.failure();
  auto tokens = constrain::token_automaton::make(std::move(*g), vocabulary_);
  if (!tokens)
    return tokens.failure();
  grammars_.push_front({f, *tokens});
  if (grammars_.size() > most_grammars)
    grammars_.pop_back();
  return std::move(*tokens);
}

// Where the sequence is, after the tokens that it has.
result<formed_sampler::progress*>
formed_sampler::progress_of(const sequence_spec& spec,
                            std::span<const token_id> generated) {
  auto tokens = automaton_of(spec.form);
  if (!tokens)
    return tokens.failure();
  auto i = sequences_.find(spec.seq);
  // Numbers of sequences are their front's, and may come again.
  if (i != sequences_.end()
      && (i->second.tokens != *tokens
          || i->second.accepted.size() > generated.size()
          || !std::ranges::equal(i->second.accepted,
                                 generated.first(i->second.accepted.size())))) {
    sequences_.erase(i);
    i = sequences_.end();
  }
  if (i == sequences_.end()) {
    forget_some();
    i = sequences_
            .emplace(spec.seq,
                     progress{*tokens, {}, constrain::token_matcher{*tokens}})
            .first;
  }
  auto& p = i->second;
  p.used = ++now_;
  for (auto t : generated.subspan(p.accepted.size())) {
    if (!p.matcher.accept(t))
      return fail(errc::invalid_argument,
                  "the tokens so far are not of the answer's form");
    p.accepted.push_back(t);
  }
  return &p;
}

// Those that were used longest ago: they have ended, or are put away.
void formed_sampler::forget_some() {
  if (sequences_.size() < most_sequences)
    return;
  auto ages = std::vector<uint64_t>{};
  for (auto& [seq, p] : sequences_)
    ages.push_back(p.used);
  auto middle = ages.begin() + static_cast<ptrdiff_t>(ages.size() / 2);
  std::nth_element(ages.begin(), middle, ages.end());
  std::erase_if(sequences_, [&](auto& s) { return s.second.used < *middle; });
}

void formed_sampler::mask(std::span<const float> logits, progress& p) {
  words_.resize(vocabulary_->words());
  p.matcher.mask(words_);
  masked_.assign(logits.size(), -std::numeric_limits<float>::infinity());
  for (size_t w = 0; w < words_.size(); ++w) {
    auto first = 64 * w;
    if (words_[w] == ~uint64_t{0} && first + 64 <= logits.size()) {
      std::copy_n(logits.begin() + static_cast<ptrdiff_t>(first), 64,
                  masked_.begin() + static_cast<ptrdiff_t>(first));
      continue;
    }
    for (auto bits = words_[w]; bits != 0; bits &= bits - 1) {
      auto t = first + static_cast<size_t>(std::countr_zero(bits));
      if (t < logits.size())
        masked_[t] = logits[t];
    }
  }
}

} // namespace troupe
