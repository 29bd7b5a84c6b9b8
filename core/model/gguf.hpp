#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/model/gguf_type.hpp"
#include "core/model/mapped_file.hpp"
#include "core/model/model_file.hpp"

namespace troupe {

/// One metadata key and its value; views into the file.
struct gguf_entry {
  std::string_view key;
  gguf_type type = gguf_type::u8;
  /// Arrays: the type of an element, which is not itself an array, and their
  /// number. Otherwise `type` and 1.
  gguf_type element = gguf_type::u8;
  uint64_t count = 1;
  /// The values one after another, strings with their lengths before them.
  const_bytes bytes;

  /// "u32", or "array of string".
  std::string type_name() const;

  /// The value on one line: strings quoted and cut, of arrays the first few
  /// elements and their number.
  std::string render() const;
};

/// One tensor; views into the file.
struct gguf_tensor {
  std::string_view name;
  uint32_t dims = 0;
  /// Innermost first; 1 beyond `dims`.
  std::array<uint64_t, 4> shape{1, 1, 1, 1};
  /// Number of the encoding, which may be one that only `find_encoding` knows.
  uint32_t type = 0;
  /// Where the data lies, from the start of the file.
  uint64_t offset = 0;
  /// Encoded; empty if the encoding is not known.
  const_bytes data;

  uint64_t cols() const { return shape[0]; }
  uint64_t rows() const { return shape[1] * shape[2] * shape[3]; }
  uint64_t values() const { return cols() * rows(); }
  /// "4096 x 32000", innermost first.
  std::string shape_name() const;
};

/// A GGUF file, version 2 or 3: typed metadata and tensors. Reading it checks
/// all that the format promises, so that what is handed out lies within the
/// file; the tensors' bytes are not touched. Immutable.
///
/// Each error is one line, "PATH: reason". bad_file: the content contradicts
/// the format; unsupported: another version or byte order, arrays of arrays.
class gguf_file : public model_file {
public:
  /// Maps the file; io_error as well.
  static result<gguf_file> open(const std::string& path);

  /// Reads a file that is in memory already and stays there. `name` stands
  /// for the path in errors.
  static result<gguf_file> parse(const_bytes bytes, std::string name);

  const std::string& path() const override { return path_; }
  uint32_t version() const { return version_; }
  uint32_t alignment() const { return alignment_; }
  const_bytes bytes() const { return bytes_; }

  void release(const_bytes part) const override { map_.release(part); }

  /// Everything before the tensors' data, padding included.
  const_bytes header() const { return bytes_.first(data_start_); }

  /// In the order of the file.
  std::span<const gguf_entry> metadata() const { return entries_; }
  std::span<const gguf_tensor> tensors() const { return tensors_; }

  /// Null if absent.
  const gguf_entry* find(std::string_view key) const;
  const gguf_tensor* find_tensor(std::string_view name) const;

  // Typed access: empty if the key is absent, bad_file (with the key, the type
  // found and the type wanted) if its value is something else. Any integer
  // type serves for an integer that fits, f32 and f64 for a float.
  result<std::optional<int64_t>> get_int(std::string_view key) const;
  result<std::optional<uint32_t>> get_u32(std::string_view key) const;
  result<std::optional<float>> get_f32(std::string_view key) const;
  result<std::optional<bool>> get_bool(std::string_view key) const;
  result<std::optional<std::string_view>>
  get_string(std::string_view key) const;
  result<std::optional<std::vector<std::string_view>>>
  get_strings(std::string_view key) const;
  result<std::optional<std::vector<float>>>
  get_floats(std::string_view key) const;
  result<std::optional<std::vector<int32_t>>>
  get_ints(std::string_view key) const;

  /// An error about this file: "PATH: reason".
  error complain(errc code, std::string_view reason) const;

private:
  friend class gguf_reader;
  gguf_file() = default;

  std::string path_;
  mapped_file map_; // unused if the bytes are somebody else's
  const_bytes bytes_;
  uint32_t version_ = 0;
  uint32_t alignment_ = 32;
  size_t data_start_ = 0;
  std::vector<gguf_entry> entries_;
  std::vector<gguf_tensor> tensors_;
  // Indexes of the above, sorted by key and name.
  std::vector<uint32_t> entry_index_;
  std::vector<uint32_t> tensor_index_;
};

} // namespace troupe
