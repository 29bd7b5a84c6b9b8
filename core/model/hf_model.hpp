#pragma once

#include "core/model/hf_directory.hpp"
#include "core/model/model.hpp"

namespace troupe {

/// A model of the open directory with its vocabulary, of which every row of
/// the embedding has a token. The model's matrices point into the files. Errors
/// are those of load_model.
result<std::shared_ptr<const model>>
read_hf_model(std::shared_ptr<const hf_directory> dir, vocabulary vocab);

/// load_model for a directory.
result<std::shared_ptr<const model>> load_hf_model(const std::string& path);

/// load_vocabulary for a directory, which needs no weights: as many tokens as
/// its files name.
result<vocabulary> load_hf_vocabulary(const std::string& path);

} // namespace troupe
