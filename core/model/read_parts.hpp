#pragma once

#include "core/base/result.hpp"
#include "core/model/architecture.hpp"
#include "core/model/gguf.hpp"
#include "core/model/hparams.hpp"
#include "core/model/weights.hpp"

namespace troupe {

// The steps of read_model. Each checks what it hands out; errors are those of
// gguf_file.

/// The architecture that the file names.
result<const architecture*> read_architecture(const gguf_file& file);

/// The numbers of a model whose vocabulary has `vocab` tokens. Each lies within
/// bounds that keep products of two of them far from overflow; head_dim is
/// even, rope_dim at most head_dim, and kv_heads divides heads.
result<hparams> read_hparams(const gguf_file& file, const architecture& arch,
                             uint32_t vocab);

/// Views of the matrices, copies of norms and biases. All that `p` and `arch`
/// ask for is there, in the right shape and an encoding that this build
/// computes with, and no layer has a tensor that would be ignored.
result<model_weights> read_weights(const gguf_file& file,
                                   const architecture& arch, const hparams& p);

} // namespace troupe
