#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/model_file.hpp"
#include "core/model/safetensors.hpp"

namespace troupe {

/// A model as Hugging Face lays it out: a directory with config.json and the
/// weights in model.safetensors, or in several such files that
/// model.safetensors.index.json lists. Immutable.
///
/// Each error is one line that names the directory or the file in it.
class hf_directory : public model_file {
public:
  /// Maps the files; io_error as well. bad_file: the index and the files
  /// contradict each other; unsupported: weights of another format.
  static result<hf_directory> open(const std::string& path);

  /// The same of what is in memory already and stays there. `path` stands for
  /// that of the directory in errors.
  static result<hf_directory> of(std::string path, const_bytes config,
                                 std::vector<safetensors_file> files);

  const std::string& path() const override { return path_; }
  void release(const_bytes part) const override;

  /// The text of config.json, which is not parsed yet.
  const_bytes config() const { return config_; }
  std::string config_path() const { return path_ + "/config.json"; }

  /// In the order of their names.
  std::span<const safetensors_file> files() const { return files_; }

  struct entry {
    const safetensors_tensor* tensor;
    const safetensors_file* file;
  };

  /// Of all files, by name.
  std::span<const entry> tensors() const { return tensors_; }

  /// Null if absent.
  const entry* find(std::string_view name) const;

private:
  hf_directory() = default;

  /// Index the tensors of all files.
  result<void> index_tensors();

  std::string path_;
  mapped_file config_map_; // unused if the bytes are somebody else's
  const_bytes config_;
  std::vector<safetensors_file> files_;
  std::vector<entry> tensors_;
};

} // namespace troupe
