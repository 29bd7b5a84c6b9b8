#pragma once

#include <memory>
#include <string>

#include "core/base/result.hpp"
#include "core/model/hparams.hpp"
#include "core/model/model_file.hpp"
#include "core/model/weights.hpp"
#include "core/text/vocabulary.hpp"

namespace troupe {

class gguf_file;

/// A loaded model: immutable, shared by all nodes of a process.
struct model {
  /// Keeps the mapping alive that `w` points into.
  std::shared_ptr<const model_file> file;
  hparams params;
  model_weights w;
  vocabulary vocab;
  /// Hex digest that tells models apart; equal for equal files. Covers the
  /// metadata and tensor table whole and samples of the tensor data, so that a
  /// large file loads without being read.
  std::string digest;
};

/// Maps the GGUF file or the files of the Hugging Face directory at `path` and
/// checks everything in them that an engine relies on. Errors name the file and
/// the reason: io_error, bad_file, or unsupported for what this build does not
/// implement.
result<std::shared_ptr<const model>> load_model(const std::string& path);

/// The same for a file that is open, or was parsed in memory: the model's
/// matrices point into its bytes.
result<std::shared_ptr<const model>>
read_model(std::shared_ptr<const gguf_file> file);

/// The vocabulary alone, of any architecture; the tensors are not looked at.
result<vocabulary> load_vocabulary(const std::string& path);

/// The same for a file that is open.
result<vocabulary> read_vocabulary(const gguf_file& file);

} // namespace troupe
