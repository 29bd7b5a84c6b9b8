#pragma once

#include "core/text/word_regex.hpp"

namespace troupe {

struct compiled_regex {
  std::vector<word_regex::instruction> program;
  std::vector<char_class> classes;
};

/// The parser behind `word_regex::compile`.
result<compiled_regex> compile_regex(std::string_view pattern);

} // namespace troupe
