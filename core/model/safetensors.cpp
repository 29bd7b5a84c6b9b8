#include "core/model/safetensors.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "core/model/gguf_type.hpp"
#include "core/model/safetensors_header.hpp"

namespace troupe {

namespace {

// What the format itself allows.
constexpr auto most_header_bytes = uint64_t{100'000'000};

// Bytes of a value; of others than these the size is not checked.
constexpr auto sizes =
    std::to_array<std::pair<std::string_view, unsigned>>({{"BOOL", 1},
                                                          {"U8", 1},
                                                          {"I8", 1},
                                                          {"F8_E5M2", 1},
                                                          {"F8_E4M3", 1},
                                                          {"F8_E8M0", 1},
                                                          {"U16", 2},
                                                          {"I16", 2},
                                                          {"F16", 2},
                                                          {"BF16", 2},
                                                          {"U32", 4},
                                                          {"I32", 4},
                                                          {"F32", 4},
                                                          {"U64", 8},
                                                          {"I64", 8},
                                                          {"F64", 8},
                                                          {"C64", 8}});

bool overflows(const std::vector<uint64_t>& shape) {
  auto values = uint64_t{1};
  for (auto size : shape) {
    if (size != 0 && values > uint64_t{1} << 60)
      return true;
    if (size != 0 && size > (uint64_t{1} << 60) / values)
      return true;
    values *= std::max<uint64_t>(size, 1);
  }
  return false;
}

// The first name that two of them share.
const std::string* repeated(const std::vector<safetensors_entry>& entries) {
  auto names = std::vector<const std::string*>{};
  names.reserve(entries.size());
  for (auto& e : entries)
    names.push_back(&e.name);
  std::sort(names.begin(), names.end(), [](auto a, auto b) { return *a < *b; });
  auto same = std::adjacent_find(names.begin(), names.end(),
                                 [](auto a, auto b) { return *a == *b; });
  return same == names.end() ? nullptr : *same;
}

// Why an entry cannot be, given what its neighbours left; empty if it can.
std::string flaw_of(const safetensors_entry& e, uint64_t next, uint64_t room) {
  if (e.begin > e.end)
    return "ends before it begins";
  if (e.end > room)
    return "extends beyond the end of the file";
  if (e.begin < next)
    return "overlaps another";
  if (e.begin > next)
    return "begins " + std::to_string(e.begin - next)
           + " bytes after the one before it ends";
  if (overflows(e.shape))
    return "has too many values";
  return {};
}

} // namespace

uint64_t safetensors_tensor::values() const {
  auto n = uint64_t{1};
  for (auto size : shape)
    n *= size;
  return n;
}

std::string safetensors_tensor::shape_name() const {
  auto out = std::string{};
  for (auto size : shape)
    out += (out.empty() ? "" : " x ") + std::to_string(size);
  return out.empty() ? "1" : out;
}

std::optional<dtype> as_dtype(const safetensors_tensor& tensor) {
  if (tensor.type == "F32")
    return dtype::f32;
  if (tensor.type == "F16")
    return dtype::f16;
  if (tensor.type == "BF16")
    return dtype::bf16;
  return {};
}

error safetensors_file::complain(errc code, std::string_view reason) const {
  return fail(code, path_ + ": " + std::string{reason});
}

result<safetensors_file> safetensors_file::open(const std::string& path) {
  auto map = mapped_file::open(path);
  if (!map)
    return map.failure();
  auto file = parse(map->bytes(), path);
  if (file)
    file->map_ = *std::move(map);
  return file;
}

result<safetensors_file> safetensors_file::parse(const_bytes bytes,
                                                 std::string name) {
  auto file = safetensors_file{};
  file.path_ = std::move(name);
  file.bytes_ = bytes;
  auto bad = [&](std::string_view reason) {
    return file.complain(errc::bad_file, reason);
  };
  if (bytes.size() < 8)
    return bad("not a safetensors file: of " + std::to_string(bytes.size())
               + " bytes");
  auto size = load_unaligned<uint64_t>(bytes.data());
  if (size > most_header_bytes)
    return bad("not a safetensors file: a header of " + std::to_string(size)
               + " bytes");
  if (size > bytes.size() - 8)
    return bad("truncated in the header of " + std::to_string(size) + " bytes");
  file.data_start_ = 8 + static_cast<size_t>(size);
  auto header = parse_safetensors_header(file.header().subspan(8));
  if (!header)
    return bad(header.failure().message);
  file.metadata_ = std::move(header->metadata);
  auto& entries = header->entries;
  if (auto name = repeated(entries))
    return bad("duplicate tensor " + printable(*name));
  std::sort(entries.begin(), entries.end(), [](auto& a, auto& b) {
    return std::pair{a.begin, a.end} < std::pair{b.begin, b.end};
  });
  auto room = uint64_t{bytes.size() - file.data_start_};
  auto next = uint64_t{0};
  file.tensors_.reserve(entries.size());
  for (auto& e : entries) {
    auto in = "tensor " + printable(e.name);
    if (auto flaw = flaw_of(e, next, room); !flaw.empty())
      return bad(in + " " + flaw);
    next = e.end;
    auto offset = file.data_start_ + static_cast<size_t>(e.begin);
    auto data = bytes.subspan(offset, static_cast<size_t>(e.end - e.begin));
    auto& t = file.tensors_.emplace_back(
        safetensors_tensor{std::move(e.name), std::move(e.type),
                           std::move(e.shape), offset, data});
    for (auto& [type, value_bytes] : sizes)
      if (t.type == type && data.size() != t.values() * value_bytes)
        return bad(in + " has " + std::to_string(data.size())
                   + " bytes, not those of " + t.shape_name() + " "
                   + printable(t.type));
  }
  if (next != room)
    return bad("the last " + std::to_string(room - next)
               + " bytes belong to no tensor");
  return file;
}

} // namespace troupe
