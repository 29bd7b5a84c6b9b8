#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/constrain/byte_set.hpp"

namespace troupe::constrain {

/// A context-free grammar over bytes, each rule a deterministic automaton
/// whose edges read a byte or call a rule (a recursive transition network,
/// Woods, "Transition network grammars for natural language analysis",
/// CACM 1970). From each position the end of its rule can be reached, and no
/// rule calls itself before it has read a byte.
class grammar {
public:
  struct edge {
    uint8_t first;
    uint8_t last;
    /// Counts one; closed once the rule's `most` is reached.
    bool counted;
    uint32_t to;
  };
  struct call {
    uint32_t rule;
    uint32_t next; ///< the position behind it
  };
  struct position {
    uint32_t edges = 0; ///< where they begin; they end where the next one's do
    uint32_t calls = 0;
    uint32_t rule = 0;
    /// Calls that must be open at once, at least, on the way to the rule's end.
    uint16_t need = 0;
    bool accept = false; ///< the rule may end here, if it has counted enough
  };
  struct rule {
    std::string name; ///< for messages
    uint32_t start = 0;
    uint32_t least = 0; ///< counted edges that it must pass
    uint32_t most = endless;
    /// Its text may not be that of another such rule that the same automaton
    /// called before: the keys of one JSON object.
    bool unique = false;
    bool leaf = true;      ///< calls nothing
    bool nullable = false; ///< may read nothing
    uint32_t rank = 0;     ///< above all rules that call it first of all
    byte_set follow;       ///< what can stand behind it
    bool counts() const { return least > 0 || most != endless; }
  };
  static constexpr auto endless = ~uint32_t{0};

  std::span<const edge> edges(uint32_t p) const {
    return {edges_.data() + positions_[p].edges,
            edges_.data() + positions_[p + 1].edges};
  }
  std::span<const call> calls(uint32_t p) const {
    return {calls_.data() + positions_[p].calls,
            calls_.data() + positions_[p + 1].calls};
  }
  const position& at(uint32_t p) const { return positions_[p]; }
  const rule& rule_of(uint32_t p) const { return rules_[positions_[p].rule]; }
  const rule& rule_at(uint32_t r) const { return rules_[r]; }

  uint32_t root() const { return root_; }
  uint32_t positions() const {
    return static_cast<uint32_t>(positions_.size() - 1);
  }
  uint32_t rules() const { return static_cast<uint32_t>(rules_.size()); }
  /// Bytes that any text of the grammar can hold.
  const byte_set& alphabet() const { return alphabet_; }
  size_t memory_bytes() const;

private:
  friend class grammar_linker;

  std::vector<position> positions_; // and one behind the last
  std::vector<edge> edges_;         // of each position ascending
  std::vector<call> calls_;
  std::vector<rule> rules_;
  uint32_t root_ = 0;
  byte_set alphabet_;
};

} // namespace troupe::constrain
