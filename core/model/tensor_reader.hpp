#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/gguf.hpp"
#include "core/tensor/matrix.hpp"

namespace troupe {

/// Looks up tensors; after the first error the rest is skipped and what is
/// handed out is empty.
class tensor_reader {
public:
  explicit tensor_reader(const gguf_file& file) : file_(file) {
    used_.resize(file.tensors().size());
  }

  bool failed() const { return static_cast<bool>(error_); }
  const error& failure() const { return error_; }

  void stop(errc code, const std::string& reason) {
    if (!failed())
      error_ = file_.complain(code, reason);
  }

  bool has(std::string_view name) const { return file_.find_tensor(name); }

  /// [rows, cols].
  matrix_view matrix(const std::string& name, uint32_t rows, uint32_t cols);

  /// [n] of [rows, cols], which lie one after another.
  std::vector<matrix_view> matrices(const std::string& name, uint32_t n,
                                    uint32_t rows, uint32_t cols);

  /// [size], finite.
  std::vector<float> vector(const std::string& name, uint32_t size);

  /// A tensor that says what others say.
  void ignore(std::string_view name);

  /// Fails if there is a tensor whose name says that it matters, and that
  /// nothing asked for.
  void refuse_unused();

private:
  /// `shape` is innermost first; sizes of 1 beyond it mean nothing.
  const gguf_tensor* take(const std::string& name,
                          std::initializer_list<uint32_t> shape);

  const gguf_file& file_;
  std::vector<bool> used_;
  error error_;
};

} // namespace troupe
