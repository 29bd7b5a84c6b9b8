#pragma once

#include "core/base/result.hpp"
#include "core/model/hf_config.hpp"
#include "core/model/hf_directory.hpp"
#include "core/model/weights.hpp"

namespace troupe {

/// Views of the matrices, copies of norms and biases. All that `config` asks
/// for is there, in the right shape and a type that this build computes with,
/// and no tensor of the model's own would be ignored. Errors name the file.
result<model_weights> read_hf_weights(const hf_directory& dir,
                                      const hf_model_config& config);

} // namespace troupe
