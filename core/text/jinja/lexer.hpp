#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace troupe::jinja {

enum class token_type : uint8_t {
  data,        ///< text between tags
  print_begin, ///< {{
  print_end,
  block_begin, ///< {%
  block_end,
  name,
  integer,
  real,
  string, ///< its escapes are read
  op,
  end, ///< of the template
};

struct token {
  token_type type = token_type::end;
  std::string text;
  uint32_t line = 1;
};

/// Cuts a template into tokens as Jinja does with trim_blocks and
/// lstrip_blocks: a newline after a block or comment goes, and so do blanks
/// before one that begins a line; comments go; "-" and "+" in a tag change
/// that. The last token is `end`. bad_file for what Jinja refuses, unsupported
/// for operators that are not implemented, with the line.
result<std::vector<token>> tokenize(std::string_view source);

} // namespace troupe::jinja
