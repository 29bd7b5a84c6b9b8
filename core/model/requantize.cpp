#include "core/model/requantize.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "core/tensor/quant.hpp"

namespace troupe {

namespace {

constexpr auto file_type_key = std::string_view{"general.file_type"};
constexpr auto version_key = std::string_view{"general.quantization_version"};

// What general.file_type says of a file that is mostly of this encoding.
uint32_t file_type_of(dtype t) {
  switch (t) {
  case dtype::f32:
    return 0;
  case dtype::f16:
    return 1;
  case dtype::q4_0:
    return 2;
  case dtype::q4_1:
    return 3;
  case dtype::q8_0:
    return 7;
  case dtype::q5_0:
    return 8;
  case dtype::q5_1:
    return 9;
  case dtype::q4_k:
    return 14; // "small": one encoding for nearly all
  case dtype::q5_k:
    return 16;
  case dtype::q6_k:
    return 18;
  case dtype::bf16:
    return 32;
  }
  return 0;
}

double bits_of_value(dtype t) {
  return 8.0 * block_bytes(t) / block_values(t);
}

// The same with 32 values a block, or the next one that has more bits.
dtype with_small_blocks(dtype t) {
  switch (t) {
  case dtype::q4_k:
    return dtype::q5_0;
  case dtype::q5_k:
    return dtype::q5_1;
  case dtype::q6_k:
    return dtype::q8_0;
  default:
    return t;
  }
}

dtype encoding_for(const gguf_file& file, const gguf_tensor& t,
                   const requantize_options& o) {
  if (t.rows() == 1 || t.name.find("norm") != t.name.npos)
    return dtype::f32;
  auto type = o.type;
  auto is_output =
      t.name == "output.weight"
      || (t.name == "token_embd.weight" && !file.find_tensor("output.weight"));
  if (is_output && !o.pure && bits_of_value(type) < bits_of_value(dtype::q6_k))
    type = dtype::q6_k;
  if (t.cols() % block_values(type) != 0)
    type = with_small_blocks(type);
  if (t.cols() % block_values(type) != 0)
    type = dtype::f16;
  return type;
}

uint64_t aligned(uint64_t n, uint64_t to) {
  return (n + to - 1) / to * to;
}

class header_writer {
public:
  template <class T>
  void put(T x) {
    append(&x, sizeof(x));
  }

  void put_string(std::string_view text) {
    put(uint64_t{text.size()});
    append(text.data(), text.size());
  }

  void put_u32_entry(std::string_view key, uint32_t x) {
    put_string(key);
    put(gguf_type::u32);
    put(x);
  }

  void put_entry(const gguf_entry& e) {
    put_string(e.key);
    put(e.type);
    if (e.type == gguf_type::array) {
      put(e.element);
      put(e.count);
    }
    append(e.bytes.data(), e.bytes.size());
  }

  void pad(uint64_t alignment) {
    out_.resize(static_cast<size_t>(aligned(out_.size(), alignment)));
  }

  std::vector<std::byte> take() { return std::move(out_); }

private:
  void append(const void* from, size_t size) {
    auto at = out_.size();
    out_.resize(at + size);
    if (size > 0)
      std::memcpy(out_.data() + at, from, size);
  }

  std::vector<std::byte> out_;
};

std::vector<std::byte> header_of(const gguf_file& file, dtype type,
                                 const std::vector<requantized_tensor>& all) {
  auto says_version = block_values(type) > 1;
  auto changed = [](const gguf_entry& e) {
    return e.key == file_type_key || e.key == version_key;
  };
  auto entries = file.metadata();
  auto kept = entries.size()
              - static_cast<size_t>(
                  std::count_if(entries.begin(), entries.end(), changed));
  auto to = header_writer{};
  for (auto c : std::string_view{"GGUF"})
    to.put(c);
  to.put(uint32_t{3});
  to.put(uint64_t{all.size()});
  to.put(uint64_t{kept + 1 + (says_version ? 1 : 0)});
  for (auto& e : entries)
    if (!changed(e))
      to.put_entry(e);
  to.put_u32_entry(file_type_key, file_type_of(type));
  if (says_version)
    to.put_u32_entry(version_key, 2);
  for (auto& t : all) {
    to.put_string(t.from->name);
    to.put(t.from->dims);
    for (auto d = 0u; d < t.from->dims; ++d)
      to.put(t.from->shape[d]);
    to.put(t.to);
    to.put(t.offset); // from the start of the data
  }
  to.pad(file.alignment());
  return to.take();
}

uint64_t first_value(uint64_t piece) {
  return piece * requantize_piece_values;
}

uint32_t values_of_piece(const requantized_tensor& t, uint64_t piece) {
  auto left = t.from->values() - first_value(piece);
  return static_cast<uint32_t>(
      std::min<uint64_t>(left, requantize_piece_values));
}

uint64_t encoded_bytes(dtype t, uint64_t values) {
  return values / block_values(t) * block_bytes(t);
}

} // namespace

result<requantize_plan> plan_requantize(const gguf_file& file,
                                        const requantize_options& options) {
  auto plan = requantize_plan{};
  auto next = uint64_t{0};
  for (auto& tensor : file.tensors()) {
    auto from = as_dtype(tensor.type);
    if (!from)
      return file.complain(errc::unsupported,
                           "tensor " + printable(tensor.name) + " has type "
                               + tensor_type_name(tensor.type)
                               + ", which this build cannot decode");
    auto t = requantized_tensor{};
    t.from = &tensor;
    t.to = encoding_for(file, tensor, options);
    t.offset = next;
    // The old data is in memory, so no encoding of it overflows.
    t.bytes = encoded_bytes(t.to, tensor.values());
    next = aligned(next + t.bytes, file.alignment());
    plan.tensors.push_back(t);
  }
  plan.header = header_of(file, options.type, plan.tensors);
  plan.bytes = plan.header.size();
  for (auto& t : plan.tensors) {
    t.offset += plan.header.size();
    plan.bytes = t.offset + t.bytes;
  }
  return plan;
}

uint64_t pieces_of(const requantized_tensor& t) {
  return (t.from->values() + requantize_piece_values - 1)
         / requantize_piece_values;
}

byte_range range_of_piece(const requantized_tensor& t, uint64_t piece) {
  return {encoded_bytes(t.to, first_value(piece)),
          static_cast<size_t>(encoded_bytes(t.to, values_of_piece(t, piece)))};
}

result<void> requantize_piece(const gguf_file& file,
                              const requantized_tensor& t, uint64_t piece,
                              std::span<std::byte> out) {
  static_assert(requantize_piece_values % 256 == 0);
  auto type = *as_dtype(t.from->type);
  auto n = values_of_piece(t, piece);
  // Rows are whole blocks, in the old encoding and in the new one: a tensor is
  // one sequence of blocks.
  auto* from = t.from->data.data()
               + static_cast<size_t>(encoded_bytes(type, first_value(piece)));
  if (t.kept()) {
    std::memcpy(out.data(), from, out.size());
    return {};
  }
  auto values = std::vector<float>(n);
  dequantize_row(type, from, n, values.data());
  auto largest = 0.f;
  for (auto x : values) {
    if (!std::isfinite(x))
      return file.complain(errc::bad_file, "tensor " + printable(t.from->name)
                                               + " has infinities or NaN");
    largest = std::max(largest, std::fabs(x));
  }
  constexpr auto most = 65504.f;
  if (largest > most && t.to != dtype::f32 && t.to != dtype::bf16)
    return file.complain(errc::unsupported,
                         "tensor " + printable(t.from->name)
                             + " has values beyond the range of float16, to "
                               "which "
                             + std::string{to_string(t.to)} + " is limited");
  quantize_row(t.to, values.data(), n, out.data());
  return {};
}

} // namespace troupe
