#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/text/jinja/value.hpp"

namespace troupe::jinja {

/// What a node is, and what its `kids` are; [x] may be null.
enum class node_type : uint8_t {
  // -- expressions ---
  literal,   ///< `constant`
  name,      ///< `text`
  list,      ///< elements
  tuple,     ///< elements
  dict,      ///< key, value, key, value, …
  attribute, ///< object; `text`
  subscript, ///< object, key
  slice,     ///< object, [begin], [end], [step]
  call,      ///< callee, arguments
  keyword,   ///< value; an argument named `text`
  filter,    ///< object, arguments; `text`
  test,      ///< object, arguments; `text`
  negate,    ///< -x
  plus,      ///< +x
  logical_not,
  logical_and,
  logical_or,
  binary,  ///< left, right; `text`: + - * / // % ~
  compare, ///< left, right of the first `ops`, of the second, …
  choose,  ///< value if condition, [otherwise]: condition, value, otherwise
  // -- statements ---
  block,         ///< statements; in a scope of their own if it has a `text`
  output,        ///< expression
  branch,        ///< condition, block, condition, block, …, [block]
  loop,          ///< iterable, [filter], body, [else block]; `names`
  assign,        ///< value; `names`, several unpack it
  assign_member, ///< value; `text` . `names[0]`
  assign_block,  ///< body; `text`, `names[0]` if it is a member
  macro,         ///< body, then a default or null for each of `names`; `text`
  stop,          ///< break
  next,          ///< continue
};

struct node {
  node_type type = node_type::block;
  uint32_t line = 1;
  int depth = 1; ///< of the tree, which is bounded: all is recursive
  std::string text;
  std::vector<std::string> names; ///< of targets, or operators of `compare`
  value constant;
  std::vector<std::unique_ptr<node>> kids;
};

} // namespace troupe::jinja
