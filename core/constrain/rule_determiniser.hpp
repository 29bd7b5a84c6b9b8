#pragma once

#include <map>
#include <vector>

#include "core/constrain/grammar_builder.hpp"

namespace troupe::constrain {

/// One rule of a grammar as it is being built, made deterministic: at most one
/// edge for a byte (one that counts, and one that does not) and for a call.
struct rule_automaton {
  struct state {
    std::vector<grammar::edge> edges; ///< ascending
    std::vector<grammar::call> calls; ///< `next`: a state of this rule
    bool accept = false;
  };
  std::vector<state> states; ///< the first is the start
};

/// Builds subsets of nodes (Rabin and Scott).
class rule_determiniser {
public:
  explicit rule_determiniser(const grammar_builder& from)
      : from_(from), seen_(from.heads_.size()) {}

  /// Spends of the builder's meter.
  rule_automaton run(grammar_builder::rule_id rule);

private:
  using node_set = std::vector<uint32_t>;

  void close(node_set& nodes);
  uint32_t id_of(node_set nodes);
  void expand(uint32_t id);
  void add_edges(uint32_t id, bool counted);
  void add_calls(uint32_t id);

  const grammar_builder& from_;
  std::vector<uint32_t> seen_; // by node, the round that last met it
  uint32_t round_ = 0;
  uint32_t finish_ = 0;
  std::map<node_set, uint32_t> ids_;
  std::vector<const node_set*> sets_;
  rule_automaton out_;
};

} // namespace troupe::constrain
