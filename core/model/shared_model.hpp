#pragma once

#include "core/model/model.hpp"

namespace troupe {

/// As `load_model`; but where this process has the model of the same path
/// loaded, from files that nobody has touched since, it is that one. Whoever
/// loads a model twice has its weights in memory once. Errors: as `load_model`.
/// Callable from any thread; those who load models at once do it one after the
/// other.
result<std::shared_ptr<const model>> load_shared_model(const std::string& path);

} // namespace troupe
