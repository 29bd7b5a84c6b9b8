#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace troupe::constrain {

/// Somewhere in a grammar, with what to go back to when its rule ends.
struct grammar_item {
  uint32_t position = 0;
  uint32_t frames = 0; ///< of a `frame_pool`
  uint32_t count = 0;  ///< counted edges that its rule has passed
  /// In a unique rule: where its text began. Elsewhere: of a `frame_pool`, the
  /// texts of the unique rules that this rule called.
  uint32_t texts = 0;

  auto operator<=>(const grammar_item&) const = default;
};

/// 128 bits that tell states apart whatever the numbers of their sets. Not
/// against an adversary: who chooses grammar and text meets their own masks.
struct state_key {
  uint64_t a = 0;
  uint64_t b = 0;

  /// Depends on the order.
  void mix(uint64_t x, uint64_t y);
  /// Does not.
  void add(const state_key& other) {
    a += other.a;
    b += other.b;
  }
  bool operator==(const state_key&) const = default;
};

/// Sets of frames, which are items to go back to, each kept once: equal sets
/// have the same number. What all ways through an ambiguous grammar have open
/// is shared this way (a graph-structured stack, Tomita, "Efficient parsing
/// for natural language", 1985). Grows and shrinks at its end only, so that
/// what tokens added can be taken back.
class frame_pool {
public:
  struct mark {
    uint32_t sets = 0;
    uint32_t frames = 0;
    uint32_t texts = 0;
    bool operator==(const mark&) const = default;
  };
  /// One text [begin, end) of what was matched, and those before it.
  struct text {
    uint32_t before;
    uint32_t begin;
    uint32_t end;
  };

  frame_pool();

  /// The number of a set. REQUIRES: it ascends; `depth` is that of all of its
  /// frames, plus one.
  /// `key` is the sum of theirs.
  uint32_t intern(std::span<const grammar_item> frames, uint32_t depth,
                  state_key key);
  /// Of what a set is, with its depth.
  const state_key& key(uint32_t set) const { return sets_[set].key; }
  std::span<const grammar_item> frames(uint32_t set) const {
    auto& s = sets_[set];
    return {frames_.data() + s.begin, frames_.data() + s.begin + s.size};
  }
  /// How many calls are open below.
  uint32_t depth(uint32_t set) const { return sets_[set].depth; }

  /// The list `before` with one more text.
  uint32_t add_text(uint32_t before, uint32_t begin, uint32_t end);
  /// REQUIRES: not 0, which is the empty list.
  const text& text_at(uint32_t list) const { return texts_[list]; }

  mark top() const;
  void release(const mark& to);
  size_t memory_bytes() const;

private:
  struct set {
    uint32_t begin;
    uint32_t size;
    uint32_t depth;
    uint32_t hash;
    uint32_t next; // of the same bucket, older
    state_key key;
  };

  uint32_t& bucket(uint32_t hash) {
    return buckets_[hash & (buckets_.size() - 1)];
  }
  void grow();

  std::vector<set> sets_; // the first: none at all
  std::vector<grammar_item> frames_;
  std::vector<text> texts_;
  std::vector<uint32_t> buckets_;
};

} // namespace troupe::constrain
