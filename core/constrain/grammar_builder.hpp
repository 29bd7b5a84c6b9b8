#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/constrain/code_set.hpp"
#include "core/constrain/grammar.hpp"
#include "core/constrain/text_dfa.hpp"
#include "core/constrain/work_meter.hpp"

namespace troupe::constrain {

/// How characters are written.
enum class text_form : uint8_t {
  plain, ///< UTF-8
  /// UTF-8 within a JSON string; what must be escaped is, in one way only.
  json,
};

/// Puts a grammar together, each rule as a nondeterministic automaton. Spends
/// of a meter; once that is spent, additions do nothing.
class grammar_builder {
public:
  using node = uint32_t;
  using rule_id = uint32_t;

  explicit grammar_builder(work_meter& meter) : meter_(meter) {}

  rule_id add_rule(std::string name);
  /// How many of its counted edges a rule passes. REQUIRES: wherever one is
  /// closed for having counted enough, the rule may end.
  void set_counts(rule_id rule, uint32_t least, uint32_t most);
  /// REQUIRES: the rule calls nothing, and each beginning of its texts is one
  /// of infinitely many.
  void set_unique(rule_id rule) { rules_[rule].unique = true; }

  node start(rule_id rule) const { return rules_[rule].start; }
  node finish(rule_id rule) const { return rules_[rule].finish; }
  size_t rules() const { return rules_.size(); }

  node add_node();
  void skip(node from, node to);
  void bytes(node from, uint8_t first, uint8_t last, node to,
             bool counted = false);
  void call(node from, rule_id rule, node to);
  /// A character of the set; its first byte counts, if any does.
  void character(node from, const code_set& set, node to,
                 text_form form = text_form::plain, bool counted = false);
  void text(node from, std::string_view bytes, node to);
  /// Where that text ends.
  node text(node from, std::string_view bytes);
  void language(node from, const text_dfa& dfa, node to, text_form form);

  /// unsupported if the work or memory is spent; invalid_argument if no text
  /// satisfies the root, or a rule calls itself before it reads anything.
  result<grammar> build(rule_id root);

  work_meter& meter() { return meter_; }

private:
  friend class rule_determiniser;
  friend class grammar_linker;

  enum class edge_kind : uint8_t { skip, bytes, counted, call };
  struct edge {
    edge_kind what;
    uint8_t first, last;
    uint32_t rule;
    node to;
    uint32_t next; // of the same node
  };
  struct rule {
    std::string name;
    node start, finish;
    uint32_t least = 0, most = grammar::endless;
    bool unique = false;
  };

  void add_edge(node from, edge e);
  void utf8(node from, char32_t first, char32_t last, node to, bool counted);
  void escaped(node from, char32_t code, node to, bool counted);
  node tail(node to, unsigned bytes);

  work_meter& meter_;
  std::vector<uint32_t> heads_; // by node, of its edges
  std::vector<edge> edges_;
  std::vector<rule> rules_;
  // Nodes from which so many continuation bytes lead to one node.
  struct tails {
    node to = ~node{0};
    node of[4] = {};
  } tails_;
};

} // namespace troupe::constrain
