#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/model/gguf.hpp"

namespace troupe {

/// Reads the metadata keys of one architecture; after the first error the rest
/// is skipped and the values are worthless, but within their bounds.
class key_reader {
public:
  key_reader(const gguf_file& file, std::string_view prefix)
      : file_(file), prefix_(prefix) {}

  bool failed() const { return static_cast<bool>(error_); }
  const error& failure() const { return error_; }
  const gguf_file& file() const { return file_; }

  void stop(errc code, const std::string& reason) {
    if (!failed())
      error_ = file_.complain(code, reason);
  }
  void bad(const std::string& reason) { stop(errc::bad_file, reason); }

  std::string full(std::string_view key) const {
    return prefix_ + "." + std::string{key};
  }

  bool has(std::string_view key) const { return file_.find(full(key)); }

  /// From 1 to `most`; `otherwise` if absent.
  uint32_t count(std::string_view key, uint32_t most,
                 std::optional<uint32_t> otherwise = std::nullopt) {
    return whole(key, 1, most, otherwise);
  }

  /// From `least` to `most`; `otherwise` if absent.
  uint32_t whole(std::string_view key, uint32_t least, uint32_t most,
                 std::optional<uint32_t> otherwise = std::nullopt);

  /// Finite and positive; `otherwise` if absent.
  float positive(std::string_view key,
                 std::optional<float> otherwise = std::nullopt);

  /// The same, or 0.
  float positive_or_zero(std::string_view key, float otherwise);

  bool flag(std::string_view key, bool otherwise);

  /// Of a key given in full.
  std::string text(const std::string& key, std::string_view otherwise) {
    return std::string{take(file_.get_string(key)).value_or(otherwise)};
  }

  /// Fails if a key is there and is not `neutral`.
  void refuse_unless(std::string_view key, float neutral);

private:
  template <class T>
  std::optional<T> take(result<std::optional<T>> x) {
    if (failed())
      return std::nullopt;
    if (!x) {
      error_ = x.failure();
      return std::nullopt;
    }
    return *x;
  }

  /// The value of a number or bool, otherwise NaN.
  float number(const gguf_entry& entry) const;

  const gguf_file& file_;
  std::string prefix_;
  error error_;
};

} // namespace troupe
