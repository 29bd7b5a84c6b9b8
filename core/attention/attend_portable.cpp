#include "core/tensor/vec_portable.hpp"

namespace troupe {

namespace {

constexpr auto tile_queries = 2;
constexpr auto tile_vectors = 2;

void transpose(const float* in, size_t stride, uint32_t dim, float* out) {
  for (auto d = size_t{0}; d < dim; ++d)
    for (auto t = size_t{0}; t < 16; ++t)
      out[d * 16 + t] = in[t * stride + d];
}

} // namespace

} // namespace troupe

#include "core/attention/attend_impl.hpp"

namespace troupe {

extern const attend_kernels portable_attend;
const attend_kernels portable_attend{attend, expand, transpose};

} // namespace troupe
