#pragma once

#include <string>
#include <vector>

#include "core/schema/json_schema.hpp"
#include "core/schema/program.hpp"
#include "core/schema/schema_options.hpp"

namespace troupe::schema {

/// What a value has against it.
struct finding {
  uint32_t schema = 0;
  uint32_t step = 0;  ///< or `no_step`
  uint32_t at = 0;    ///< the value's node
  uint64_t extra = 0; ///< which name is missing, and the like
};

/// It is the schema's type, or that it is `false`.
constexpr auto no_step = ~uint32_t{0};

/// Memory of checks, for the next one.
struct check_memory {
  std::vector<uint64_t> marks;
  std::vector<uint32_t> scope;
  std::vector<std::pair<uint32_t, uint32_t>> dynamic;
  std::vector<finding> findings;
  std::string text; ///< of errors that are being written
  std::vector<schema_error::parts> parts;
};

enum class check_end : uint8_t {
  whole,    ///< all was looked at that had to be
  enough,   ///< there are more errors than are wanted
  too_long, ///< the work allowed was not enough
  too_deep, ///< schemas led to each other too often
  endless,  ///< a `$dynamicRef` led to itself
};

/// Runs a schema over a tape. Recursive, and counts how deep.
class check_state {
public:
  check_state(const program& p, const json_tape& tape, check_memory& memory,
              uint64_t steps, size_t most)
      : p_(p), nodes_(tape.data()), tape_(tape), memory_(memory),
        left_(static_cast<int64_t>(steps)), most_(most) {}

  /// Whether the document is valid, as soon as that is certain.
  bool quickly();
  /// The same, with what is wrong in memory.findings.
  bool thoroughly();
  /// Whether all was seen; else the answer is none.
  check_end end() const { return end_; }

private:
  /// Items or members that were looked at, as `unevaluatedItems` and the like
  /// ask: bits in memory, from here; or `unmarked` if nobody asks.
  using marks = uint32_t;
  static constexpr auto unmarked = ~marks{0};
  /// A schema that leads on this often has no bottom, or a document's does.
  static constexpr auto deepest = 4096u;

  /// Where a step stands.
  struct spot {
    uint32_t schema;
    uint32_t step;
    uint32_t at;
    marks to;
  };

  template <bool Collect>
  bool run(uint32_t schema, uint32_t at, marks to);
  template <bool Collect>
  bool apply(uint32_t schema, uint32_t at, marks to);
  template <bool Collect>
  bool apply_last(uint32_t schema, uint32_t at, marks to);
  template <bool Collect>
  bool section_holds(section part, uint32_t schema, uint32_t at, marks to);
  template <bool Collect>
  bool holds(section part, const step& s, const spot& x);

  bool number_holds(const step& s, const json_node& n) const;
  bool string_holds(const step& s, const json_node& n);
  bool bound_holds(const step& s, const json_node& n) const;
  template <bool Collect>
  bool array_holds(const step& s, const spot& x);
  template <bool Collect>
  bool items_hold(const step& s, const spot& x);
  bool contains_holds(const step& s, const spot& x);
  template <bool Collect>
  bool object_holds(const step& s, const spot& x);
  template <bool Collect>
  bool members_hold(const step& s, const spot& x);
  template <bool Collect>
  bool member_holds(const members_rule& rule, const spot& x, uint32_t key,
                    uint32_t ordinal, uint32_t& required);
  template <bool Collect>
  bool required_hold(const members_rule& rule, const spot& x);
  template <bool Collect>
  bool dependent_holds(const step& s, const spot& x);
  template <bool Collect>
  bool any_holds(const step& s, const spot& x);
  bool choice_holds(const choice_rule& rule, uint32_t at);
  template <bool Collect>
  bool all_of_holds(const step& s, const spot& x);
  bool some_of_holds(const step& s, const spot& x, bool one);
  template <bool Collect>
  bool condition_holds(const step& s, const spot& x);
  template <bool Collect>
  bool dynamic_holds(const step& s, const spot& x);
  bool branch(uint32_t schema, const spot& x);
  template <bool Collect>
  bool last_holds(const step& s, const spot& x);

  /// Always false, so that a step can end with it.
  template <bool Collect>
  bool refuse(const spot& x, uint64_t extra = 0) {
    if (!Collect || stopped())
      return false;
    if (memory_.findings.size() < most_)
      memory_.findings.push_back({x.schema, x.step, x.at, extra});
    else
      stop(check_end::enough);
    return false;
  }
  const named_member* find_name(const members_rule& rule,
                                std::string_view key) const;

  bool stopped() const { return end_ != check_end::whole; }
  void spend(uint64_t steps) {
    left_ -= static_cast<int64_t>(steps);
    if (left_ < 0)
      stop(check_end::too_long);
  }
  void stop(check_end why) {
    if (end_ == check_end::whole)
      end_ = why;
  }
  void spend_on(uint32_t at);

  marks open_marks(uint32_t size);
  void mark(marks m, uint32_t i) {
    if (m != unmarked)
      memory_.marks[m + i / 64] |= uint64_t{1} << i % 64;
  }
  bool marked(marks m, uint32_t i) const {
    return memory_.marks[m + i / 64] >> i % 64 & 1;
  }
  void merge(marks from, marks to);

  const program& p_;
  const json_node* nodes_;
  const json_tape& tape_;
  check_memory& memory_;
  int64_t left_;
  size_t most_;
  uint32_t level_ = 0;
  check_end end_ = check_end::whole;
};

} // namespace troupe::schema
