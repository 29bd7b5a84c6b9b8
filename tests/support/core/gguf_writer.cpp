#include "tests/support/core/gguf_writer.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "core/tensor/quant.hpp"

namespace troupe::testing {

namespace {

template <class T>
void append(byte_vector& to, T x) {
  auto at = to.size();
  to.resize(at + sizeof(x));
  std::memcpy(to.data() + at, &x, sizeof(x));
}

void append_bytes(byte_vector& to, const void* from, size_t size) {
  auto first = static_cast<const std::byte*>(from);
  to.insert(to.end(), first, first + size);
}

void append_text(byte_vector& to, std::string_view text) {
  append(to, uint64_t{text.size()});
  append_bytes(to, text.data(), text.size());
}

template <class T>
byte_vector bytes_of(T x) {
  auto out = byte_vector{};
  append(out, x);
  return out;
}

template <class T>
byte_vector array_of(gguf_type type, std::span<const T> items) {
  auto out = byte_vector{};
  append(out, static_cast<uint32_t>(type));
  append(out, uint64_t{items.size()});
  append_bytes(out, items.data(), items.size_bytes());
  return out;
}

uint64_t aligned(uint64_t x, uint64_t to) {
  return (x + to - 1) / to * to;
}

} // namespace

void gguf_writer::put_raw(std::string_view key, uint32_t type,
                          byte_vector bytes) {
  for (auto& e : entries)
    if (e.key == key) {
      e.type = type;
      e.bytes = std::move(bytes);
      return;
    }
  entries.push_back({std::string{key}, type, std::move(bytes)});
}

void gguf_writer::put_u32(std::string_view key, uint32_t x) {
  put_raw(key, static_cast<uint32_t>(gguf_type::u32), bytes_of(x));
}

void gguf_writer::put_i32(std::string_view key, int32_t x) {
  put_raw(key, static_cast<uint32_t>(gguf_type::i32), bytes_of(x));
}

void gguf_writer::put_u64(std::string_view key, uint64_t x) {
  put_raw(key, static_cast<uint32_t>(gguf_type::u64), bytes_of(x));
}

void gguf_writer::put_f32(std::string_view key, float x) {
  put_raw(key, static_cast<uint32_t>(gguf_type::f32), bytes_of(x));
}

void gguf_writer::put_f64(std::string_view key, double x) {
  put_raw(key, static_cast<uint32_t>(gguf_type::f64), bytes_of(x));
}

void gguf_writer::put_bool(std::string_view key, bool x) {
  put_raw(key, static_cast<uint32_t>(gguf_type::boolean),
          bytes_of(static_cast<uint8_t>(x)));
}

void gguf_writer::put_string(std::string_view key, std::string_view x) {
  auto out = byte_vector{};
  append_text(out, x);
  put_raw(key, static_cast<uint32_t>(gguf_type::string), std::move(out));
}

void gguf_writer::put_strings(std::string_view key,
                              std::span<const std::string> x) {
  auto out = byte_vector{};
  append(out, static_cast<uint32_t>(gguf_type::string));
  append(out, uint64_t{x.size()});
  for (auto& text : x)
    append_text(out, text);
  put_raw(key, static_cast<uint32_t>(gguf_type::array), std::move(out));
}

void gguf_writer::put_ints(std::string_view key, std::span<const int32_t> x) {
  put_raw(key, static_cast<uint32_t>(gguf_type::array),
          array_of(gguf_type::i32, x));
}

void gguf_writer::put_floats(std::string_view key, std::span<const float> x) {
  put_raw(key, static_cast<uint32_t>(gguf_type::array),
          array_of(gguf_type::f32, x));
}

void gguf_writer::remove(std::string_view key) {
  std::erase_if(entries, [&](auto& e) { return e.key == key; });
}

void gguf_writer::add_tensor(std::string_view name, std::vector<uint64_t> shape,
                             dtype type, std::span<const float> values) {
  auto cols = static_cast<uint32_t>(shape.at(0));
  auto row = size_t{cols} / block_values(type) * block_bytes(type);
  auto rows = values.size() / cols;
  auto data = byte_vector(rows * row);
  for (auto r = size_t{0}; r < rows; ++r)
    quantize_row(type, values.data() + r * cols, cols, data.data() + r * row);
  tensors.push_back({std::string{name},
                     std::move(shape),
                     static_cast<uint32_t>(type),
                     std::move(data),
                     0,
                     {}});
}

void gguf_writer::add_zero_tensor(std::string_view name,
                                  std::vector<uint64_t> shape, dtype type) {
  auto size = uint64_t{block_bytes(type)};
  for (auto n : shape)
    size *= n;
  size /= block_values(type);
  tensors.push_back({std::string{name},
                     std::move(shape),
                     static_cast<uint32_t>(type),
                     {},
                     size,
                     {}});
}

void gguf_writer::remove_tensor(std::string_view name) {
  std::erase_if(tensors, [&](auto& t) { return t.name == name; });
}

gguf_writer::tensor& gguf_writer::at(std::string_view name) {
  for (auto& t : tensors)
    if (t.name == name)
      return t;
  throw std::out_of_range{std::string{name}};
}

byte_vector gguf_writer::header(std::vector<uint64_t>& offsets) const {
  auto out = byte_vector{};
  append_bytes(out, magic.data(), magic.size());
  append(out, version);
  append(out, tensor_count.value_or(tensors.size()));
  append(out, entry_count.value_or(entries.size()));
  for (auto& e : entries) {
    append_text(out, e.key);
    append(out, e.type);
    append_bytes(out, e.bytes.data(), e.bytes.size());
  }
  auto next = uint64_t{0};
  for (auto& t : tensors) {
    auto offset = t.offset.value_or(aligned(next, alignment));
    offsets.push_back(offset);
    append_text(out, t.name);
    append(out, static_cast<uint32_t>(t.shape.size()));
    for (auto n : t.shape)
      append(out, n);
    append(out, t.type);
    append(out, offset);
    // One put elsewhere by hand does not move the others.
    next = t.offset ? next : offset + t.data.size() + t.zeros;
  }
  out.resize(aligned(out.size(), alignment));
  return out;
}

byte_vector gguf_writer::bytes() const {
  auto offsets = std::vector<uint64_t>{};
  auto out = header(offsets);
  auto start = out.size();
  for (auto i = size_t{0}; i < tensors.size(); ++i) {
    auto& t = tensors[i];
    auto at = start + offsets[i];
    // Data far away by hand is not written: the file is broken anyway.
    if (t.offset && *t.offset > (1u << 20))
      continue;
    out.resize(std::max(out.size(), at + t.data.size() + t.zeros));
    std::copy(t.data.begin(), t.data.end(),
              out.begin() + static_cast<ptrdiff_t>(at));
  }
  return out;
}

void gguf_writer::write(const std::string& path) const {
  auto offsets = std::vector<uint64_t>{};
  auto head = header(offsets);
  auto size = uint64_t{head.size()};
  auto out = std::ofstream{path, std::ios::binary | std::ios::trunc};
  out.write(reinterpret_cast<const char*>(head.data()),
            static_cast<std::streamsize>(head.size()));
  for (auto i = size_t{0}; i < tensors.size(); ++i) {
    auto& t = tensors[i];
    if (t.offset && *t.offset > (1u << 20))
      continue;
    auto at = head.size() + offsets[i];
    out.seekp(static_cast<std::streamoff>(at));
    out.write(reinterpret_cast<const char*>(t.data.data()),
              static_cast<std::streamsize>(t.data.size()));
    size = std::max(size, at + t.data.size() + t.zeros);
  }
  out.close();
  if (!out)
    throw std::runtime_error{"cannot write " + path};
  std::filesystem::resize_file(path, size);
}

void write_file(const std::string& path, std::span<const std::byte> bytes) {
  auto out = std::ofstream{path, std::ios::binary | std::ios::trunc};
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out)
    throw std::runtime_error{"cannot write " + path};
}

} // namespace troupe::testing
