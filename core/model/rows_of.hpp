#pragma once

#include "core/tensor/matrix.hpp"

namespace troupe {

/// Rows [first, first + n) of a matrix that holds those of several; empty if it
/// could not be read and is empty.
inline matrix_view rows_of(const matrix_view& all, uint32_t first, uint32_t n) {
  if (all.empty())
    return {};
  return {all.type, n, all.cols, all.row(first)};
}

} // namespace troupe
