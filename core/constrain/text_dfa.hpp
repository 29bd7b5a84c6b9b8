#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/constrain/code_set.hpp"
#include "core/constrain/work_meter.hpp"

namespace troupe::constrain {

/// A regular language over code points, as a deterministic automaton. What no
/// edge holds is refused. Operations spend of a meter; once that is spent,
/// what they return means nothing and the caller must look at the meter.
struct text_dfa {
  struct edge {
    char32_t first;
    char32_t last;
    uint32_t to;
    bool operator==(const edge&) const = default;
  };
  struct state {
    std::vector<edge> edges; ///< ascending, none overlaps another
    bool accept = false;
  };

  std::vector<state> states; ///< the first is the start; none: no text at all

  bool empty() const { return states.empty(); }
  /// REQUIRES: the text is UTF-8.
  bool accepts(std::string_view text) const;
};

text_dfa any_text();
/// Texts of `least` to `most` code points; without `most`, at least so many.
text_dfa text_of_length(uint64_t least, std::optional<uint64_t> most,
                        work_meter& meter);
/// Exactly these texts, which are UTF-8.
text_dfa one_of(std::span<const std::string> texts, work_meter& meter);

text_dfa both(const text_dfa& a, const text_dfa& b, work_meter& meter);
text_dfa neither(const text_dfa& a, work_meter& meter);

/// Without what leads nowhere, and with as few states as there can be (more
/// where that would take too long).
text_dfa tidy(text_dfa a, work_meter& meter);

/// All texts, if there are no more than that. REQUIRES: it is tidied.
std::optional<std::vector<std::string>> words_of(const text_dfa& a,
                                                 size_t most);

/// Whether each beginning of a text is one of infinitely many.
bool is_endless(const text_dfa& a);

/// `set{least,most}`, where that is all the language there is.
struct text_run {
  code_set set;
  uint32_t least = 0;
  uint32_t most = 0; ///< 0xffffffff: without end
};
std::optional<text_run> as_run(const text_dfa& tidied);

} // namespace troupe::constrain
