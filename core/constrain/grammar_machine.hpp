#pragma once

#include <string>
#include <vector>

#include "core/constrain/frame_pool.hpp"
#include "core/constrain/grammar.hpp"

namespace troupe::constrain {

/// Where a text may go on: all places in the grammar that read a byte next.
struct grammar_state {
  std::vector<grammar_item> items; ///< ascending
  bool done = false;               ///< the text may end here
};

/// Reads bytes by a grammar, following all ways at once (Earley, "An efficient
/// context-free parsing algorithm", CACM 1970, with the automata of the rules
/// in place of dotted rules). Each place that it keeps can be completed within
/// the bound on open calls: there are no dead ends.
class grammar_machine {
public:
  /// Calls that may be open at once.
  static constexpr auto most_depth = uint32_t{200};

  /// `grammar` must live as long. Counts that no text of `horizon` bytes
  /// tells apart have the same key.
  explicit grammar_machine(const grammar& g, uint32_t horizon = 64)
      : grammar_(&g), horizon_(horizon) {}

  void start(grammar_state& to);
  /// False, and nothing in `to`, if the byte is refused.
  bool step(const grammar_state& from, uint8_t byte, grammar_state& to);
  /// All that can be reached from places without a byte.
  void close(std::span<const grammar_item> from, grammar_state& to);
  enum class light_step : uint8_t {
    taken,
    refused,
    unknown, ///< needs a whole step
  };
  /// A step in the usual case of one place, from which a byte leads to another
  /// one of the same rule that neither ends it nor calls another: that leaves
  /// the pool as it is. REQUIRES: from has one item.
  light_step step_lightly(const grammar_state& from, uint8_t byte,
                          grammar_state& to) const;
  /// The byte that must come next, or -1 if there are several.
  int only_byte(const grammar_state& from) const;

  /// Bytes that were read: needed where texts must be unique.
  std::string& text() { return text_; }
  const std::string& text() const { return text_; }
  /// From here on is one token: a text that must be unique may not begin
  /// behind its first byte and end within it, so that a mask can tell which
  /// tokens would repeat one.
  void begin_token() { token_ = static_cast<uint32_t>(text_.size()); }

  frame_pool& pool() { return pool_; }
  const frame_pool& pool() const { return pool_; }
  const grammar& rules() const { return *grammar_; }

  /// While lax, texts that must be unique are not compared with others.
  void set_lax(bool lax) { lax_ = lax; }
  /// Two states with the same key refuse the same texts of at most `horizon`
  /// bytes, but for those that repeat what must be unique.
  state_key key_of(const grammar_state& s) const;

  /// Whether `text` is in a list of the pool.
  bool is_listed(uint32_t list, std::string_view text) const;

private:
  struct callee {
    uint32_t rule;
    uint32_t depth;
    bool done;
    std::vector<grammar_item> frames;
  };

  void add(const grammar_item& item);
  void visit(size_t i, bool may_end, grammar_state& to);
  void end_rule(grammar_item item, grammar_state& to);
  void call(const grammar_item& item, const grammar::call& c);
  callee& callee_for(uint32_t rule);
  bool fits(uint32_t depth, uint32_t position) const;
  state_key key_of(const grammar_item& item) const;
  callee* next_callee();
  uint32_t count_after(const grammar::rule& rule, uint32_t count) const;

  const grammar* grammar_;
  frame_pool pool_;
  std::string text_;
  uint32_t token_ = 0;
  uint32_t horizon_;
  bool lax_ = false;
  std::vector<grammar_item> kernel_;
  std::vector<grammar_item> work_;
  std::vector<callee> callees_; // the first `calls_` are in use
  size_t calls_ = 0;
};

} // namespace troupe::constrain
