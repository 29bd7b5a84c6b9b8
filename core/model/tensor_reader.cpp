#include "core/model/tensor_reader.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/tensor/quant.hpp"

namespace troupe {

namespace {

// Starts of names that belong to the architectures of this build; a tensor of
// such a name that nothing asked for would change the model's results. Others
// are extra heads and the like.
constexpr auto own_names = std::to_array<std::string_view>(
    {"blk.", "output", "token_", "rope_", "position_"});

// Left by old converters; rope.freq_base says the same.
constexpr auto needless = std::string_view{".attn_rot_embd"};

constexpr auto encodings = std::string_view{
    "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K or Q6_K"};

std::string name_of(std::initializer_list<uint32_t> shape) {
  auto out = std::string{};
  for (auto n : shape)
    out += (out.empty() ? "" : " x ") + std::to_string(n);
  return out;
}

} // namespace

const gguf_tensor* tensor_reader::take(const std::string& name,
                                       std::initializer_list<uint32_t> shape) {
  if (failed())
    return nullptr;
  auto tensor = file_.find_tensor(name);
  if (!tensor) {
    stop(errc::bad_file,
         "tensor " + name + " is missing, expected " + name_of(shape));
    return nullptr;
  }
  used_[static_cast<size_t>(tensor - file_.tensors().data())] = true;
  auto wanted = std::array<uint64_t, 4>{1, 1, 1, 1};
  std::copy(shape.begin(), shape.end(), wanted.begin());
  if (tensor->shape != wanted) {
    stop(errc::bad_file, "tensor " + name + " has shape " + tensor->shape_name()
                             + ", expected " + name_of(shape));
    return nullptr;
  }
  if (!as_dtype(tensor->type)) {
    stop(errc::unsupported, "tensor " + name + " has type "
                                + tensor_type_name(tensor->type) + ", expected "
                                + std::string{encodings});
    return nullptr;
  }
  return tensor;
}

matrix_view tensor_reader::matrix(const std::string& name, uint32_t rows,
                                  uint32_t cols) {
  auto tensor = take(name, {cols, rows});
  if (!tensor)
    return {};
  return {*as_dtype(tensor->type), rows, cols, tensor->data.data()};
}

std::vector<matrix_view> tensor_reader::matrices(const std::string& name,
                                                 uint32_t n, uint32_t rows,
                                                 uint32_t cols) {
  auto tensor = take(name, {cols, rows, n});
  if (!tensor)
    return {};
  auto out = std::vector<matrix_view>{};
  auto one =
      matrix_view{*as_dtype(tensor->type), rows, cols, tensor->data.data()};
  for (auto i = uint32_t{0}; i < n; ++i) {
    out.push_back(one);
    one.data += rows * one.row_bytes();
  }
  return out;
}

std::vector<float> tensor_reader::vector(const std::string& name,
                                         uint32_t size) {
  auto tensor = take(name, {size});
  if (!tensor)
    return {};
  auto out = std::vector<float>(size);
  dequantize_row(*as_dtype(tensor->type), tensor->data.data(), size,
                 out.data());
  if (!std::all_of(out.begin(), out.end(),
                   [](float x) { return std::isfinite(x); }))
    stop(errc::bad_file, "tensor " + name + " has infinities or NaN");
  return out;
}

void tensor_reader::ignore(std::string_view name) {
  if (auto tensor = file_.find_tensor(name))
    used_[static_cast<size_t>(tensor - file_.tensors().data())] = true;
}

void tensor_reader::refuse_unused() {
  for (auto i = size_t{0}; i < used_.size(); ++i) {
    auto name = file_.tensors()[i].name;
    auto own = std::any_of(own_names.begin(), own_names.end(),
                           [&](auto s) { return name.starts_with(s); });
    if (own && !used_[i] && name.find(needless) == name.npos)
      stop(errc::unsupported, "tensor " + printable(name)
                                  + " has no place in this architecture as "
                                    "this build implements it");
  }
}

} // namespace troupe
