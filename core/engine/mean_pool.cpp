#include "core/engine/mean_pool.hpp"

#include <cassert>
#include <cmath>
#include <string>

#include "core/base/float_mode.hpp"

namespace troupe {

void mean_pool::add(std::span<const float> states, size_t width) {
  auto floats = float_mode{};
  assert(width > 0 && states.size() % width == 0);
  sum_.resize(width);
  for (size_t at = 0; at < states.size(); at += width, ++count_)
    for (size_t i = 0; i < width; ++i)
      sum_[i] += double{states[at + i]};
}

std::vector<float> mean_pool::mean() const {
  auto floats = float_mode{};
  auto all = std::vector<float>{};
  if (count_ == 0)
    return all;
  all.reserve(sum_.size());
  for (auto x : sum_)
    all.push_back(static_cast<float>(x / static_cast<double>(count_)));
  return all;
}

result<std::vector<float>> unit_vector(std::span<const float> state,
                                       uint32_t dimensions) {
  auto floats = float_mode{};
  auto n = dimensions == 0 ? state.size() : size_t{dimensions};
  if (n > state.size())
    return fail(errc::invalid_argument,
                std::to_string(n) + " dimensions of an embedding that has "
                    + std::to_string(state.size()));
  auto some = state.first(n);
  auto squares = 0.0;
  for (auto x : some)
    squares += double{x} * double{x};
  if (!(squares > 0) || !std::isfinite(squares))
    return fail(errc::bad_file,
                "the model gives the text no direction: its states are all 0 "
                "or not finite");
  auto length = std::sqrt(squares);
  auto all = std::vector<float>{};
  all.reserve(n);
  for (auto x : some)
    all.push_back(static_cast<float>(double{x} / length));
  return all;
}

} // namespace troupe
