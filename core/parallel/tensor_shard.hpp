#pragma once

#include <memory>

#include "core/base/result.hpp"
#include "core/model/model.hpp"
#include "core/parallel/collective.hpp"
#include "core/parallel/shard_plan.hpp"

namespace troupe {

/// The model as rank `rank` sees it: its hparams count its own heads and
/// columns, its matrices are its own parts, what is not split is a copy. Of the
/// whole model only these parts are read. Matrices that engines pack stay in
/// the model's file until they are: packed they are storage of this rank's own.
/// The others are copied into such storage now, except an embedding that only
/// single rows are read of. Errors: those of plan_shard.
result<std::shared_ptr<const model>>
load_shard(const std::shared_ptr<const model>& whole, uint32_t ranks,
           uint32_t rank);

/// Bytes of all weights, as they are encoded; those of a tied embedding once.
size_t weight_bytes(const model_weights& w);

/// Columns [first, first + count) of `w`, where they lie.
/// REQUIRES: whole blocks.
matrix_view columns_of(const matrix_view& w, part columns);

/// out: [rows, total] of what each rank has of the columns, `mine`: [rows, its
/// part_of(total, …)]. `scratch`: as large as out.
result<void> gather_columns(collective& ranks, const float* mine, uint32_t rows,
                            uint32_t total, float* scratch, float* out);

} // namespace troupe
