#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/model/mapped_file.hpp"
#include "core/tensor/matrix.hpp"

namespace troupe {

/// One tensor of a safetensors file.
struct safetensors_tensor {
  std::string name;
  /// "F32", "BF16", …: as the file has it, known or not.
  std::string type;
  std::vector<uint64_t> shape; ///< outermost first; of a single number empty
  size_t offset = 0;           ///< of the data, from the start of the file
  const_bytes data;            ///< a view into the file

  /// Of all dimensions, which are checked not to overflow.
  uint64_t values() const;
  /// "32000 x 4096", outermost first.
  std::string shape_name() const;
};

/// Those types that this build computes with.
std::optional<dtype> as_dtype(const safetensors_tensor& tensor);

/// A safetensors file: a JSON header that names tensors, then their bytes.
/// Reading it checks all that the format promises, so that what is handed out
/// lies within the file; the tensors' bytes are not touched. Immutable.
///
/// Each error is one line, "PATH: reason". bad_file: the content contradicts
/// the format; unsupported: a header beyond what the format allows.
class safetensors_file {
public:
  /// Maps the file; io_error as well.
  static result<safetensors_file> open(const std::string& path);

  /// Reads a file that is in memory already and stays there. `name` stands
  /// for the path in errors.
  static result<safetensors_file> parse(const_bytes bytes, std::string name);

  const std::string& path() const { return path_; }
  const_bytes bytes() const { return bytes_; }
  void release(const_bytes part) const { map_.release(part); }

  /// Everything before the tensors' data.
  const_bytes header() const { return bytes_.first(data_start_); }

  /// Pairs of texts that mean nothing to us, in the order of the file.
  std::span<const std::pair<std::string, std::string>> metadata() const {
    return metadata_;
  }

  /// In the order of their data.
  std::span<const safetensors_tensor> tensors() const { return tensors_; }

  /// An error about this file: "PATH: reason".
  error complain(errc code, std::string_view reason) const;

private:
  safetensors_file() = default;

  std::string path_;
  mapped_file map_; // unused if the bytes are somebody else's
  const_bytes bytes_;
  size_t data_start_ = 0;
  std::vector<std::pair<std::string, std::string>> metadata_;
  std::vector<safetensors_tensor> tensors_;
};

} // namespace troupe
