#include "core/model/gguf_type.hpp"

#include <array>

namespace troupe {

namespace {

constexpr auto encodings = std::to_array<gguf_encoding>({
    {0, "F32", 1, 4},         {1, "F16", 1, 2},
    {2, "Q4_0", 32, 18},      {3, "Q4_1", 32, 20},
    {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},
    {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},
    {10, "Q2_K", 256, 84},    {11, "Q3_K", 256, 110},
    {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},
    {16, "IQ2_XXS", 256, 66}, {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},
    {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},   {23, "IQ4_XS", 256, 136},
    {24, "I8", 1, 1},         {25, "I16", 1, 2},
    {26, "I32", 1, 4},        {27, "I64", 1, 8},
    {28, "F64", 1, 8},        {29, "IQ1_M", 256, 56},
    {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},
});

} // namespace

std::string_view to_string(gguf_type t) {
  constexpr auto names = std::to_array<std::string_view>(
      {"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array",
       "u64", "i64", "f64"});
  auto i = static_cast<uint32_t>(t);
  return i < names.size() ? names[i] : "?";
}

uint32_t value_bytes(gguf_type t) {
  switch (t) {
  case gguf_type::u8:
  case gguf_type::i8:
  case gguf_type::boolean:
    return 1;
  case gguf_type::u16:
  case gguf_type::i16:
    return 2;
  case gguf_type::u32:
  case gguf_type::i32:
  case gguf_type::f32:
    return 4;
  case gguf_type::u64:
  case gguf_type::i64:
  case gguf_type::f64:
    return 8;
  case gguf_type::string:
  case gguf_type::array:
    return 0;
  }
  return 0;
}

const gguf_encoding* find_encoding(uint32_t type) {
  for (auto& e : encodings)
    if (e.type == type)
      return &e;
  return nullptr;
}

std::string tensor_type_name(uint32_t type) {
  auto text = std::to_string(type);
  if (auto e = find_encoding(type))
    text += " (" + std::string{e->name} + ")";
  return text;
}

std::optional<dtype> as_dtype(uint32_t type) {
  switch (auto t = static_cast<dtype>(type)) {
  case dtype::f32:
  case dtype::f16:
  case dtype::q4_0:
  case dtype::q4_1:
  case dtype::q5_0:
  case dtype::q5_1:
  case dtype::q8_0:
  case dtype::q4_k:
  case dtype::q5_k:
  case dtype::q6_k:
  case dtype::bf16:
    return t;
  }
  return {};
}

std::string printable(std::string_view text, size_t most) {
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto out = std::string{};
  for (auto c : text.substr(0, most)) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\') {
      out += "\\\\";
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
  if (text.size() > most)
    out += "...";
  return out;
}

} // namespace troupe
