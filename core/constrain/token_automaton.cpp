#include "core/constrain/token_automaton.hpp"

#include <algorithm>
#include <bit>

namespace troupe::constrain {

token_mask::token_mask(std::span<const uint64_t> words) {
  auto count = size_t{0};
  for (auto w : words)
    count += static_cast<size_t>(std::popcount(w));
  // A list that takes no more than an eighth of the words.
  if (count > words.size() / 4) {
    words_.assign(words.begin(), words.end());
    return;
  }
  few_.reserve(count);
  for (auto i = size_t{0}; i < words.size(); ++i)
    for (auto w = words[i]; w != 0; w &= w - 1)
      few_.push_back(static_cast<token_id>(
          i * 64 + static_cast<size_t>(std::countr_zero(w))));
}

void token_mask::write(std::span<uint64_t> to) const {
  if (!words_.empty()) {
    std::copy(words_.begin(), words_.end(), to.begin());
    return;
  }
  std::fill(to.begin(), to.end(), 0);
  for (auto id : few_) {
    auto i = static_cast<size_t>(id);
    to[i / 64] |= uint64_t{1} << (i % 64);
  }
}

result<std::shared_ptr<const token_automaton>>
token_automaton::make(std::shared_ptr<const compiled_grammar> g,
                      std::shared_ptr<const token_vocabulary> v,
                      size_t cache_bytes) {
  for (auto b = 0u; b < 256; ++b) {
    auto byte = static_cast<uint8_t>(b);
    if (g->rules().alphabet().contains(byte) && !v->bytes().contains(byte))
      return fail(errc::invalid_argument,
                  "the grammar may need the byte " + std::to_string(b)
                      + ", which the model has no token for");
  }
  auto a = std::shared_ptr<token_automaton>{new token_automaton};
  a->grammar_ = std::move(g);
  a->vocabulary_ = std::move(v);
  a->most_bytes_ = cache_bytes;
  return std::shared_ptr<const token_automaton>{std::move(a)};
}

std::shared_ptr<const token_mask>
token_automaton::find(const state_key& key) const {
  auto lock = std::lock_guard{mutex_};
  auto at = masks_.find(key);
  ++(at == masks_.end() ? stats_.misses : stats_.hits);
  return at == masks_.end() ? nullptr : at->second;
}

void token_automaton::keep(const state_key& key,
                           std::shared_ptr<const token_mask> m) const {
  constexpr auto overhead = size_t{96};
  auto bytes = m->memory_bytes() + overhead;
  auto lock = std::lock_guard{mutex_};
  if (stats_.bytes + bytes > most_bytes_) {
    masks_.clear();
    stats_.bytes = 0;
  }
  if (bytes <= most_bytes_ && masks_.try_emplace(key, std::move(m)).second)
    stats_.bytes += bytes;
}

mask_cache_stats token_automaton::stats() const {
  auto lock = std::lock_guard{mutex_};
  auto s = stats_;
  s.masks = masks_.size();
  return s;
}

} // namespace troupe::constrain
