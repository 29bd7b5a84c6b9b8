#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/constrain/code_set.hpp"
#include "core/constrain/regex_escape.hpp"

namespace troupe::constrain {

/// What one part of a rule allows.
struct ebnf_node {
  enum class kind : uint8_t { text, set, rule, row, either, repeat };
  kind what = kind::row;
  std::string text; ///< of text: its bytes; of rule: its name
  code_set set;
  uint32_t least = 0; ///< of repeat
  uint32_t most = 0;
  size_t at = 0; ///< where in the grammar it begins, in bytes
  std::vector<ebnf_node> parts;

  static constexpr auto endless = ~uint32_t{0};
};

struct ebnf_rule {
  std::string name;
  ebnf_node body;
};

/// The line of a place in a text, from 1.
size_t line_of(std::string_view text, size_t at);

/// Rules in their order. "line N: reason".
result<std::vector<ebnf_rule>> parse_ebnf(std::string_view text);

} // namespace troupe::constrain
