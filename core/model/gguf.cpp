#include "core/model/gguf.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace troupe {

namespace {

// The number at `from` as a 64-bit one; false if `t` is no integer type, or
// the number is beyond int64.
bool load_int(gguf_type t, const std::byte* from, int64_t& out) {
  switch (t) {
  case gguf_type::u8:
    out = load_unaligned<uint8_t>(from);
    return true;
  case gguf_type::i8:
    out = load_unaligned<int8_t>(from);
    return true;
  case gguf_type::u16:
    out = load_unaligned<uint16_t>(from);
    return true;
  case gguf_type::i16:
    out = load_unaligned<int16_t>(from);
    return true;
  case gguf_type::u32:
    out = load_unaligned<uint32_t>(from);
    return true;
  case gguf_type::i32:
    out = load_unaligned<int32_t>(from);
    return true;
  case gguf_type::i64:
    out = load_unaligned<int64_t>(from);
    return true;
  case gguf_type::u64: {
    auto x = load_unaligned<uint64_t>(from);
    out = static_cast<int64_t>(x);
    return x <= uint64_t{std::numeric_limits<int64_t>::max()};
  }
  default:
    return false;
  }
}

bool load_float(gguf_type t, const std::byte* from, float& out) {
  if (t == gguf_type::f32) {
    out = load_unaligned<float>(from);
    return true;
  }
  if (t == gguf_type::f64) {
    // Beyond float's range the conversion is undefined, so say it in words.
    auto x = load_unaligned<double>(from);
    constexpr auto most = double{std::numeric_limits<float>::max()};
    out = x > most    ? std::numeric_limits<float>::infinity()
          : x < -most ? -std::numeric_limits<float>::infinity()
                      : static_cast<float>(x);
    return true;
  }
  return false;
}

// Takes the first string off `bytes`, which the reader has checked.
std::string_view take_string(const_bytes& bytes) {
  auto size = static_cast<size_t>(load_unaligned<uint64_t>(bytes.data()));
  auto text =
      std::string_view{reinterpret_cast<const char*>(bytes.data() + 8), size};
  bytes = bytes.subspan(8 + size);
  return text;
}

std::string number_text(double x) {
  char text[32];
  auto end = std::to_chars(text, text + sizeof(text), x).ptr;
  return {text, end};
}

// Takes the first value off `bytes` and renders it.
std::string take_text(gguf_type t, const_bytes& bytes) {
  constexpr auto most = size_t{60};
  if (t == gguf_type::string)
    return '"' + printable(take_string(bytes), most) + '"';
  auto from = bytes.data();
  bytes = bytes.subspan(value_bytes(t));
  if (t == gguf_type::boolean)
    return std::to_integer<int>(*from) ? "true" : "false";
  if (t == gguf_type::f64)
    return number_text(load_unaligned<double>(from));
  if (t == gguf_type::f32) {
    char text[32]; // as a float: fewer digits identify it
    auto x = load_unaligned<float>(from);
    return {text, std::to_chars(text, text + sizeof(text), x).ptr};
  }
  if (t == gguf_type::u64)
    return std::to_string(load_unaligned<uint64_t>(from));
  auto x = int64_t{0};
  load_int(t, from, x);
  return std::to_string(x);
}

template <class T>
const T* look_up(std::span<const T> items, std::span<const uint32_t> index,
                 std::string_view T::*key, std::string_view wanted) {
  auto i = std::lower_bound(
      index.begin(), index.end(), wanted,
      [&](uint32_t a, std::string_view b) { return items[a].*key < b; });
  if (i == index.end() || items[*i].*key != wanted)
    return nullptr;
  return &items[*i];
}

error wrong_type(const gguf_file& file, const gguf_entry& entry,
                 std::string_view wanted) {
  return file.complain(errc::bad_file, "metadata key " + printable(entry.key)
                                           + " has type " + entry.type_name()
                                           + ", expected "
                                           + std::string{wanted});
}

error out_of_range(const gguf_file& file, const gguf_entry& entry,
                   std::string_view wanted) {
  return file.complain(errc::bad_file, "metadata key " + printable(entry.key)
                                           + " is " + entry.render()
                                           + ", out of the range of "
                                           + std::string{wanted});
}

bool is_integer(gguf_type t) {
  auto ignored = int64_t{0};
  constexpr auto zero = std::array<std::byte, 8>{};
  return load_int(t, zero.data(), ignored);
}

} // namespace

std::string gguf_entry::type_name() const {
  if (type == gguf_type::array)
    return "array of " + std::string{to_string(element)};
  return std::string{to_string(type)};
}

std::string gguf_entry::render() const {
  constexpr auto most = uint64_t{6};
  auto rest = bytes;
  if (type != gguf_type::array)
    return take_text(type, rest);
  auto out = std::string{"["};
  for (auto i = uint64_t{0}; i < std::min(count, most); ++i)
    out += (i ? ", " : "") + take_text(element, rest);
  if (count > most)
    out += ", ...";
  return out + "] (" + std::to_string(count) + ")";
}

std::string gguf_tensor::shape_name() const {
  auto out = std::to_string(shape[0]);
  for (auto d = 1u; d < dims; ++d)
    out += " x " + std::to_string(shape[d]);
  return out;
}

const gguf_entry* gguf_file::find(std::string_view key) const {
  return look_up<gguf_entry>(entries_, entry_index_, &gguf_entry::key, key);
}

const gguf_tensor* gguf_file::find_tensor(std::string_view name) const {
  return look_up<gguf_tensor>(tensors_, tensor_index_, &gguf_tensor::name,
                              name);
}

error gguf_file::complain(errc code, std::string_view reason) const {
  return fail(code, path_ + ": " + std::string{reason});
}

result<std::optional<int64_t>> gguf_file::get_int(std::string_view key) const {
  auto entry = find(key);
  if (!entry)
    return std::optional<int64_t>{};
  if (!is_integer(entry->type))
    return wrong_type(*this, *entry, "an integer");
  auto x = int64_t{0};
  if (!load_int(entry->type, entry->bytes.data(), x))
    return out_of_range(*this, *entry, "i64");
  return std::optional{x};
}

result<std::optional<uint32_t>> gguf_file::get_u32(std::string_view key) const {
  auto entry = find(key);
  if (!entry)
    return std::optional<uint32_t>{};
  if (!is_integer(entry->type))
    return wrong_type(*this, *entry, "u32");
  auto x = int64_t{0};
  if (!load_int(entry->type, entry->bytes.data(), x) || x < 0
      || x > int64_t{std::numeric_limits<uint32_t>::max()})
    return out_of_range(*this, *entry, "u32");
  return std::optional{static_cast<uint32_t>(x)};
}

result<std::optional<float>> gguf_file::get_f32(std::string_view key) const {
  auto entry = find(key);
  if (!entry)
    return std::optional<float>{};
  auto x = 0.f;
  if (!load_float(entry->type, entry->bytes.data(), x))
    return wrong_type(*this, *entry, "f32");
  return std::optional{x};
}

result<std::optional<bool>> gguf_file::get_bool(std::string_view key) const {
  auto entry = find(key);
  if (!entry)
    return std::optional<bool>{};
  if (entry->type != gguf_type::boolean)
    return wrong_type(*this, *entry, "bool");
  return std::optional{std::to_integer<int>(entry->bytes[0]) != 0};
}

result<std::optional<std::string_view>>
gguf_file::get_string(std::string_view key) const {
  auto entry = find(key);
  if (!entry)
    return std::optional<std::string_view>{};
  if (entry->type != gguf_type::string)
    return wrong_type(*this, *entry, "string");
  auto rest = entry->bytes;
  return std::optional{take_string(rest)};
}

result<std::optional<std::vector<std::string_view>>>
gguf_file::get_strings(std::string_view key) const {
  using list = std::vector<std::string_view>;
  auto entry = find(key);
  if (!entry)
    return std::optional<list>{};
  if (entry->type != gguf_type::array || entry->element != gguf_type::string)
    return wrong_type(*this, *entry, "array of string");
  auto out = list{};
  out.reserve(static_cast<size_t>(entry->count));
  for (auto rest = entry->bytes; out.size() < entry->count;)
    out.push_back(take_string(rest));
  return std::optional{std::move(out)};
}

result<std::optional<std::vector<float>>>
gguf_file::get_floats(std::string_view key) const {
  using list = std::vector<float>;
  auto entry = find(key);
  if (!entry)
    return std::optional<list>{};
  auto step = value_bytes(entry->element);
  if (entry->type != gguf_type::array
      || (entry->element != gguf_type::f32 && entry->element != gguf_type::f64))
    return wrong_type(*this, *entry, "array of f32");
  auto out = list(static_cast<size_t>(entry->count));
  for (auto i = size_t{0}; i < out.size(); ++i)
    load_float(entry->element, entry->bytes.data() + i * step, out[i]);
  return std::optional{std::move(out)};
}

result<std::optional<std::vector<int32_t>>>
gguf_file::get_ints(std::string_view key) const {
  using list = std::vector<int32_t>;
  auto entry = find(key);
  if (!entry)
    return std::optional<list>{};
  if (entry->type != gguf_type::array || !is_integer(entry->element))
    return wrong_type(*this, *entry, "array of i32");
  auto step = value_bytes(entry->element);
  auto out = list(static_cast<size_t>(entry->count));
  for (auto i = size_t{0}; i < out.size(); ++i) {
    auto x = int64_t{0};
    if (!load_int(entry->element, entry->bytes.data() + i * step, x)
        || x < std::numeric_limits<int32_t>::min()
        || x > std::numeric_limits<int32_t>::max())
      return out_of_range(*this, *entry, "i32");
    out[i] = static_cast<int32_t>(x);
  }
  return std::optional{std::move(out)};
}

} // namespace troupe
