#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/gguf_type.hpp"
#include "core/tensor/matrix.hpp"

namespace troupe::testing {

using byte_vector = std::vector<std::byte>;

/// Writes GGUF files, broken ones too: every number in one can be set by hand.
/// Entries and tensors are written in the order in which they were added.
class gguf_writer {
public:
  struct entry {
    std::string key;
    uint32_t type = 0;
    byte_vector bytes; ///< what follows the type; of arrays, all of it
  };

  struct tensor {
    std::string name;
    std::vector<uint64_t> shape; ///< innermost first
    uint32_t type = 0;
    byte_vector data;
    /// Zeros after `data`; in a file they take no space.
    uint64_t zeros = 0;
    /// Instead of the next aligned place.
    std::optional<uint64_t> offset;
  };

  // The start of the file; counts are those of `entries` and `tensors` unless
  // set.
  std::string magic = "GGUF";
  uint32_t version = 3;
  std::optional<uint64_t> tensor_count;
  std::optional<uint64_t> entry_count;
  /// How tensors are placed. Does not add the metadata key that says so.
  uint32_t alignment = 32;

  std::vector<entry> entries;
  std::vector<tensor> tensors;

  // -- metadata: adds the key, or replaces its value --------------------------

  void put_u32(std::string_view key, uint32_t x);
  void put_i32(std::string_view key, int32_t x);
  void put_u64(std::string_view key, uint64_t x);
  void put_f32(std::string_view key, float x);
  void put_f64(std::string_view key, double x);
  void put_bool(std::string_view key, bool x);
  void put_string(std::string_view key, std::string_view x);
  void put_strings(std::string_view key, std::span<const std::string> x);
  void put_ints(std::string_view key, std::span<const int32_t> x);
  void put_floats(std::string_view key, std::span<const float> x);
  /// Any type, known or not, and the bytes that follow it.
  void put_raw(std::string_view key, uint32_t type, byte_vector bytes);
  void remove(std::string_view key);

  // -- tensors ----------------------------------------------------------------

  /// Encodes `values`, as many as the shape says; [cols] or [cols, rows].
  void add_tensor(std::string_view name, std::vector<uint64_t> shape,
                  dtype type, std::span<const float> values);
  /// All zero.
  void add_zero_tensor(std::string_view name, std::vector<uint64_t> shape,
                       dtype type);
  void remove_tensor(std::string_view name);
  /// Throws std::out_of_range if there is none.
  tensor& at(std::string_view name);

  // -- output -----------------------------------------------------------------

  byte_vector bytes() const;
  /// Throws std::runtime_error if that fails.
  void write(const std::string& path) const;

private:
  /// Everything before the data, and where each tensor lies in the data.
  byte_vector header(std::vector<uint64_t>& offsets) const;
};

/// Throws std::runtime_error if that fails.
void write_file(const std::string& path, std::span<const std::byte> bytes);

} // namespace troupe::testing
