#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/constrain/compiled_grammar.hpp"
#include "core/constrain/frame_pool.hpp"
#include "core/constrain/token_vocabulary.hpp"

namespace troupe::constrain {

/// Which tokens may come next, as a list if they are few.
class token_mask {
public:
  explicit token_mask(std::span<const uint64_t> words);

  /// Writes all words. REQUIRES: as many as it was made of.
  void write(std::span<uint64_t> words) const;
  size_t memory_bytes() const {
    return words_.capacity() * sizeof(uint64_t)
           + few_.capacity() * sizeof(token_id) + sizeof(*this);
  }

private:
  std::vector<uint64_t> words_;
  std::vector<token_id> few_;
};

struct mask_cache_stats {
  uint64_t hits = 0;
  uint64_t misses = 0;
  size_t masks = 0;
  size_t bytes = 0;
};

/// A grammar together with a model's vocabulary: what all outputs by that
/// grammar share. Masks that one of them has met are kept for all, up to a
/// bound; then all that are kept are dropped. Thread-safe, by a mutex that is
/// held for a look-up only.
class token_automaton {
public:
  static constexpr auto default_cache_bytes = size_t{32} << 20;

  /// invalid_argument if the grammar may need a byte that is no token.
  static result<std::shared_ptr<const token_automaton>>
  make(std::shared_ptr<const compiled_grammar> g,
       std::shared_ptr<const token_vocabulary> v,
       size_t cache_bytes = default_cache_bytes);

  const compiled_grammar& compiled() const { return *grammar_; }
  const token_vocabulary& vocabulary() const { return *vocabulary_; }

  /// Null if it is not kept.
  std::shared_ptr<const token_mask> find(const state_key& key) const;
  void keep(const state_key& key, std::shared_ptr<const token_mask> m) const;
  mask_cache_stats stats() const;

private:
  struct key_hash {
    size_t operator()(const state_key& k) const {
      return static_cast<size_t>(k.a);
    }
  };

  token_automaton() = default;

  std::shared_ptr<const compiled_grammar> grammar_;
  std::shared_ptr<const token_vocabulary> vocabulary_;
  size_t most_bytes_ = 0;
  mutable std::mutex mutex_;
  mutable std::unordered_map<state_key, std::shared_ptr<const token_mask>,
                             key_hash>
      masks_;
  mutable mask_cache_stats stats_;
};

} // namespace troupe::constrain
