#include "core/model/hf_tensors.hpp"

#include <algorithm>
#include <cmath>

#include "core/model/gguf_type.hpp"
#include "core/tensor/quant.hpp"

namespace troupe {

namespace {

// Starts of the names of what takes part in computing logits; others are heads
// for other tasks and the like.
bool is_own(std::string_view name) {
  return name.starts_with("model.") || name.starts_with("lm_head");
}

// Left by old versions of the library; the configuration says the same.
bool is_needless(std::string_view name) {
  return name.ends_with("rotary_emb.inv_freq");
}

} // namespace

hf_tensors::hf_tensors(const hf_directory& dir)
    : dir_(dir), used_(dir.tensors().size()) {}

matrix_view hf_tensors::matrix(const std::string& name, uint32_t rows,
                               uint32_t cols) {
  auto* entry = take(name, {rows, cols});
  if (!entry)
    return {};
  auto& tensor = *entry->tensor;
  return {*as_dtype(tensor), rows, cols, tensor.data.data()};
}

std::vector<float> hf_tensors::vector(const std::string& name, uint32_t size) {
  auto* entry = take(name, {size});
  if (!entry)
    return {};
  auto out = std::vector<float>(size);
  auto& tensor = *entry->tensor;
  dequantize_row(*as_dtype(tensor), tensor.data.data(), size, out.data());
  if (!std::all_of(out.begin(), out.end(),
                   [](float x) { return std::isfinite(x); }))
    stop(*entry, errc::bad_file, "tensor " + name + " has infinities or NaN");
  return out;
}

std::vector<float> hf_tensors::norm(const std::string& name, uint32_t size,
                                    bool add_one) {
  auto out = vector(name, size);
  if (add_one)
    for (auto& x : out)
      x += 1.f;
  return out;
}

void hf_tensors::expect_zeros(const std::string& name, uint32_t size) {
  if (!has(name))
    return;
  auto values = vector(name, size);
  if (std::any_of(values.begin(), values.end(), [](float x) { return x != 0; }))
    stop(*dir_.find(name), errc::unsupported,
         "tensor " + name
             + " is not all zeros, which this build does not implement");
}

void hf_tensors::ignore(std::string_view name) {
  if (auto* entry = dir_.find(name))
    used_[static_cast<size_t>(entry - dir_.tensors().data())] = true;
}

void hf_tensors::ignore_all(std::string_view start) {
  for (auto i = size_t{0}; i < used_.size(); ++i)
    if (std::string_view{dir_.tensors()[i].tensor->name}.starts_with(start))
      used_[i] = true;
}

void hf_tensors::refuse_unused() {
  for (auto i = size_t{0}; i < used_.size(); ++i) {
    auto& entry = dir_.tensors()[i];
    auto& name = entry.tensor->name;
    if (!used_[i] && is_own(name) && !is_needless(name))
      stop(entry, errc::unsupported,
           "tensor " + printable(name)
               + " has no place in this architecture as this build "
                 "implements it");
  }
}

const hf_directory::entry*
hf_tensors::take(const std::string& name, const std::vector<uint64_t>& shape) {
  if (failed())
    return nullptr;
  auto* entry = dir_.find(name);
  auto wanted = safetensors_tensor{};
  wanted.shape = shape;
  if (!entry) {
    error_ = fail(errc::bad_file, dir_.path() + ": tensor " + name
                                      + " is missing, expected "
                                      + wanted.shape_name());
    return nullptr;
  }
  ignore(name);
  auto& tensor = *entry->tensor;
  if (tensor.shape != shape) {
    stop(*entry, errc::bad_file,
         "tensor " + name + " has shape " + tensor.shape_name() + ", expected "
             + wanted.shape_name());
    return nullptr;
  }
  if (!as_dtype(tensor)) {
    stop(*entry, errc::unsupported,
         "tensor " + name + " has type " + printable(tensor.type)
             + ", expected F32, F16 or BF16");
    return nullptr;
  }
  return entry;
}

void hf_tensors::stop(const hf_directory::entry& at, errc code,
                      const std::string& reason) {
  if (!failed())
    error_ = at.file->complain(code, reason);
}

} // namespace troupe
