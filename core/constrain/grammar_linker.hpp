#pragma once

#include <vector>

#include "core/constrain/rule_determiniser.hpp"

namespace troupe::constrain {

/// Makes a grammar of what a builder holds: determines its rules, leaves out
/// what no text needs, and finds what the matcher wants to know of each.
class grammar_linker {
public:
  explicit grammar_linker(grammar_builder& from) : from_(from) {}

  /// Fails as `grammar_builder::build`.
  result<grammar> run(grammar_builder::rule_id root);

private:
  struct state {
    rule_automaton::state* automaton;
    uint32_t rule;
    uint32_t need;
  };

  void determine(grammar_builder::rule_id root);
  void find_needs();
  void lay_out(grammar_builder::rule_id root);
  void find_nullable();
  bool find_ranks();
  void find_follow();
  bool can_end(uint32_t p) const;
  byte_set first_of(uint32_t p) const;
  std::vector<uint32_t> idle_from(uint32_t p) const;

  grammar_builder& from_;
  std::vector<rule_automaton> automata_; // by the builder's rule
  std::vector<uint32_t> bases_;          // by rule, of its states in `all_`
  std::vector<state> all_;
  std::vector<byte_set> first_; // by position
  std::string looping_;         // the rule that calls itself first of all
  grammar out_;
};

} // namespace troupe::constrain
