#pragma once

#include <string_view>

namespace troupe {

/// False where two texts differ in what embeddings hardly see, however near
/// these are: other numbers, another count of negations, other names or the
/// same in another order, the same words in another order. English negations
/// and names with capitals; where a sentence begins, words that begin many of
/// them are no names. Errs on the side of false: that costs a hit.
bool may_mean_the_same(std::string_view a, std::string_view b);

} // namespace troupe
