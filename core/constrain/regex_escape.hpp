#pragma once

#include <optional>
#include <string_view>

#include "core/base/result.hpp"
#include "core/constrain/code_set.hpp"

namespace troupe::constrain {

/// Where a parser of regular expressions stands, and why it failed.
struct regex_input {
  std::string_view text;
  size_t at = 0;
  std::optional<error> failed;
  size_t failed_at = 0;

  bool done() const { return at >= text.size(); }
  /// The byte here; 0 at the end.
  char peek() const { return done() ? '\0' : text[at]; }
  bool take(char c);
  bool take(std::string_view s);
  /// The code point here, which is passed. REQUIRES: !done().
  char32_t next_code();
  /// Fails, unless it has failed before, and goes to the end.
  void refuse(errc code, std::string reason) { refuse_at(at, code, reason); }
  void refuse_at(size_t where, errc code, const std::string& reason);
};

/// What an escape stands for, behind its backslash.
code_set read_escape(regex_input& in, bool in_class);

/// A class, behind its opening bracket.
code_set read_class(regex_input& in);

} // namespace troupe::constrain
