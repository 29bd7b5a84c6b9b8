#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/text/char_class.hpp"

namespace troupe {

/// A regular expression of the kind that tokenizers cut words with: classes,
/// groups, alternatives of which the first that fits wins, greedy quantifiers,
/// `(?i:...)`, `(?!\S)` of one class, and `$`, the end of a line. All ways to
/// match are followed at once (Pike's machine), so that one attempt takes time
/// linear in what it looks at, whatever the expression.
class word_regex {
public:
  /// unsupported, with the pattern, for anything else, for what can match
  /// nothing at all, and beyond bounds of size and depth.
  static result<word_regex> compile(std::string_view pattern);

  /// Memory of a search, to be used again.
  struct threads {
    std::vector<uint32_t> now, next, todo;
    std::vector<uint32_t> seen; ///< by instruction: the last step + 1
    uint32_t step = 0;
  };

  /// Appends where the pieces of `text` end, each plus `base`: what matches,
  /// and what stands between matches.
  void cut(std::string_view text, size_t base, threads& memory,
           std::vector<size_t>& ends) const;

  // -- the program, for the compiler ------------------------------------------

  enum class op : uint8_t { in_class, split, not_next, line_end, matched };
  struct instruction {
    op what;
    /// Class for in_class and not_next; where to go, from here, for split:
    /// first `a`, then `b`.
    int32_t a = 0;
    int32_t b = 0;
  };

private:
  struct place {
    size_t size = 0; // of the character, 0 at the end
    uint64_t in = 0; // the classes that hold it
    bool line_end = false;
  };

  place look(std::string_view text, size_t at) const;
  uint64_t classes_of(char32_t code) const;
  // The end of the match that begins at `at`, or `at` if there is none.
  size_t match(std::string_view text, size_t at, threads& memory) const;
  void follow(uint32_t pc, const place& here, threads& memory) const;

  std::vector<instruction> program_;
  std::vector<char_class> classes_; // at most 64
  std::array<uint64_t, 128> ascii_{};
};

} // namespace troupe
