#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/tensor/matrix.hpp"

namespace troupe {

/// What a metadata value is; the values are those of the file format.
enum class gguf_type : uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

/// "u32", "bool", "string", …; "?" for a value that is none of them.
std::string_view to_string(gguf_type t);

/// Bytes of one value; 0 for strings and arrays, whose size varies, and for
/// what is not a type.
uint32_t value_bytes(gguf_type t);

/// How a tensor type of the format is stored.
struct gguf_encoding {
  uint32_t type;         ///< number in the file
  std::string_view name; ///< its usual name, such as "Q4_K"
  uint32_t block_values;
  uint32_t block_bytes;
};

/// Null for a number that is not known at all.
const gguf_encoding* find_encoding(uint32_t type);

/// "12 (Q4_K)", or "77" for an unknown one.
std::string tensor_type_name(uint32_t type);

/// Those types that this build computes with.
std::optional<dtype> as_dtype(uint32_t type);

/// `text` fit for one line of a terminal or log: bytes that are not printable
/// ASCII are escaped, and it is cut after `most` bytes.
std::string printable(std::string_view text, size_t most = 80);

} // namespace troupe
