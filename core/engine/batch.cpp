#include "core/engine/batch.hpp"

#include <cassert>
#include <string>

namespace troupe {

result<void> check(std::span<const batch_row> batch, const hparams& p,
                   uint32_t max_tokens) {
  auto total = size_t{0};
  for (auto& row : batch) {
    if (row.tokens.empty())
      return fail(errc::invalid_argument, "a row of the batch has no tokens");
    for (auto id : row.tokens)
      if (id < 0 || static_cast<uint32_t>(id) >= p.vocab)
        return fail(errc::invalid_argument,
                    "token id " + std::to_string(id)
                        + " is not in the vocabulary of "
                        + std::to_string(p.vocab));
    if (row.table->length() + row.tokens.size() > p.context)
      return fail(errc::context_exceeded,
                  std::to_string(row.table->length() + row.tokens.size())
                      + " tokens do not fit the model's context of "
                      + std::to_string(p.context));
    assert(row.table->length() + row.tokens.size() <= row.table->room());
    total += row.tokens.size();
  }
  if (total > max_tokens)
    return fail(errc::invalid_argument, std::to_string(total)
                                            + " tokens in a step of at most "
                                            + std::to_string(max_tokens));
  return {};
}

} // namespace troupe
