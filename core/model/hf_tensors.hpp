#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/model/hf_directory.hpp"
#include "core/tensor/matrix.hpp"

namespace troupe {

/// Looks up the tensors of a Hugging Face model; after the first error the
/// rest is skipped and what is handed out is empty.
class hf_tensors {
public:
  explicit hf_tensors(const hf_directory& dir);

  bool failed() const { return static_cast<bool>(error_); }
  const error& failure() const { return error_; }

  bool has(std::string_view name) const { return dir_.find(name); }

  /// [rows, cols], a view.
  matrix_view matrix(const std::string& name, uint32_t rows, uint32_t cols);

  /// [size], a copy; all values are finite.
  std::vector<float> vector(const std::string& name, uint32_t size);

  /// The weights of a norm, to which some models add one.
  std::vector<float> norm(const std::string& name, uint32_t size, bool add_one);

  /// Where this build has no place for a bias of which others of the model's
  /// are used: it may be there if it does nothing.
  void expect_zeros(const std::string& name, uint32_t size);

  /// Knows of a tensor that something else says already.
  void ignore(std::string_view name);

  /// The same for all whose names start so.
  void ignore_all(std::string_view start);

  /// Each tensor of the model's own must have been asked for.
  void refuse_unused();

private:
  const hf_directory::entry* take(const std::string& name,
                                  const std::vector<uint64_t>& shape);
  void stop(const hf_directory::entry& at, errc code,
            const std::string& reason);

  const hf_directory& dir_;
  std::vector<bool> used_; // of dir_.tensors()
  error error_;
};

} // namespace troupe
