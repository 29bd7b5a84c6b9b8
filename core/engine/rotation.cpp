#include "core/engine/rotation.hpp"

namespace troupe {

rotation::rotation(const hparams& p, std::span<const float> factors,
                   uint32_t max_tokens)
    : everywhere_{{p.rope_dim, p.rope_base, p.rope_scale, factors,
                   p.rope_magnitude},
                  {max_tokens, p.rope_dim}},
      turn_(p.pairing == rope_pairing::adjacent ? rotate_adjacent
                                                : rotate_halves) {
  if (p.local_rope_base != 0.f)
    local_.emplace(table{{p.rope_dim, p.local_rope_base, 1.f, {}},
                         {max_tokens, p.rope_dim}});
}

void rotation::plan(compute& c, std::span<const uint32_t> positions) {
  for_rows(c, static_cast<uint32_t>(positions.size()),
           [&](uint32_t row, unsigned) {
             everywhere_.of.at(positions[row], everywhere_.cos_sin.row(row));
             if (local_)
               local_->of.at(positions[row], local_->cos_sin.row(row));
           });
}

} // namespace troupe
