#pragma once

#include <caf/deserializer.hpp>
#include <caf/error.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/serializer.hpp>

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "actors/protocol/messages.hpp"
#include "core/kv/handoff_messages.hpp"

namespace troupe {

/// Anything that names its fields can travel, be printed and be hashed.
template <class T>
concept has_fields = requires(T& x) {
  x.fields();
};

/// What goes to other processes, or comes from them.
template <class Inspector>
concept on_the_wire =
    std::is_base_of_v<caf::serializer, Inspector> || std::is_base_of_v<
        caf::deserializer, Inspector>;

/// Bounds a chunk that arrives over a wire, before anything is allocated.
inline constexpr uint64_t max_wire_bytes = uint64_t{4} << 20;

/// Lets numbers travel as they lie in memory. `most`: elements at most.
template <class Inspector, class Vector>
typename Inspector::result_type inspect_raw(Inspector& f, Vector& xs,
                                            uint64_t most) {
  constexpr auto size = sizeof(typename Vector::value_type);
  if constexpr (std::is_base_of_v<caf::serializer, Inspector>) {
    auto n = static_cast<uint64_t>(xs.size());
    if (auto e = f(n))
      return e;
    return n > 0 ? f.apply_raw(n * size, xs.data()) : caf::error{};
  } else if constexpr (std::is_base_of_v<caf::deserializer, Inspector>) {
    uint64_t n = 0;
    if (auto e = f(n))
      return e;
    if (n > most)
      return caf::sec::invalid_argument;
    xs.resize(n);
    return n > 0 ? f.apply_raw(n * size, xs.data()) : caf::error{};
  } else {
    return f(xs.size());
  }
}

template <std::floating_point T>
using bits_of = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;

/// One field. Numbers with a point travel as their bits: CAF 0.17.6 counts the
/// exponent by halving, for ever if the number is infinite, as a
/// log-probability can be.
template <class Inspector, class T>
typename Inspector::result_type wire_field(Inspector& f, T& x) {
  if constexpr (std::is_floating_point_v<T>) {
    auto bits = std::bit_cast<bits_of<T>>(x);
    if (auto e = f(bits))
      return e;
    if constexpr (std::is_base_of_v<caf::deserializer, Inspector>)
      x = std::bit_cast<T>(bits);
    return {};
  } else {
    return f(x);
  }
}

/// The same, where they stand in pairs.
template <class Inspector, class T, std::floating_point U>
typename Inspector::result_type wire_field(Inspector& f,
                                           std::vector<std::pair<T, U>>& xs) {
  auto bits = std::vector<std::pair<T, bits_of<U>>>{};
  for (auto& [key, value] : xs)
    bits.emplace_back(key, std::bit_cast<bits_of<U>>(value));
  if (auto e = f(bits))
    return e;
  if constexpr (std::is_base_of_v<caf::deserializer, Inspector>) {
    xs.clear();
    for (auto& [key, value] : bits)
      xs.emplace_back(key, std::bit_cast<U>(value));
  }
  return {};
}

/// The same, of a vector that is one of many values: as they lie in memory.
template <class Inspector>
typename Inspector::result_type wire_field(Inspector& f,
                                           std::vector<float>& xs) {
  return inspect_raw(f, xs, max_wire_bytes / sizeof(float));
}

/// All of them, in order.
template <class Inspector, class... Ts>
typename Inspector::result_type inspect_fields(Inspector& f, Ts&... xs) {
  if constexpr (on_the_wire<Inspector>) {
    auto failed = typename Inspector::result_type{};
    (void)(... && !(failed = wire_field(f, xs)));
    return failed;
  } else {
    return f(xs...);
  }
}

template <class Inspector, has_fields T>
typename Inspector::result_type inspect(Inspector& f, T& x) {
  return std::apply([&](auto&... xs) { return inspect_fields(f, xs...); },
                    x.fields());
}

// Core types that know nothing of messages.

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, sampling_params& x) {
  return inspect_fields(f, x.temperature, x.top_k, x.top_p, x.min_p,
                        x.repetition_penalty, x.presence_penalty,
                        x.frequency_penalty, x.repeat_last_n, x.logit_bias,
                        x.seed, x.logprobs, x.want_logprob);
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, token_logprob& x) {
  return inspect_fields(f, x.id, x.logprob);
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, sampled& x) {
  return inspect_fields(f, x.id, x.logprob, x.top);
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, kv_chunk& x) {
  if constexpr (std::is_base_of_v<caf::serializer, Inspector>) {
    auto slice = x.layer_bytes * x.layers;
    auto n = static_cast<uint64_t>(x.payload.blocks.empty()
                                       ? x.payload.bytes.size()
                                       : slice * x.payload.blocks.size());
    if (auto e = f(x.seq, x.epoch, x.index, x.first_block, x.blocks,
                   x.first_layer, x.layers, x.digest, n))
      return e;
    for (auto& block : x.payload.blocks)
      if (auto e =
              f.apply_raw(slice, block.get() + x.first_layer * x.layer_bytes))
        return e;
    return x.payload.bytes.empty() ? caf::error{}
                                   : f.apply_raw(n, x.payload.bytes.data());
  } else if constexpr (std::is_base_of_v<caf::deserializer, Inspector>) {
    uint64_t n = 0;
    if (auto e = f(x.seq, x.epoch, x.index, x.first_block, x.blocks,
                   x.first_layer, x.layers, x.digest, n))
      return e;
    if (n > max_wire_bytes)
      return caf::sec::invalid_argument;
    x.payload.blocks.clear();
    x.payload.bytes.resize(n);
    return n > 0 ? f.apply_raw(n, x.payload.bytes.data()) : caf::error{};
  } else {
    return f(caf::meta::type_name("kv_chunk"), x.seq, x.epoch, x.index,
             x.first_block, x.blocks, x.first_layer, x.layers);
  }
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, rank_part& x) {
  if constexpr (
      std::is_base_of_v<
          caf::serializer,
          Inspector> || std::is_base_of_v<caf::deserializer, Inspector>) {
    if (auto e = f(x.group, x.from, x.to, x.number, x.kind, x.first, x.total))
      return e;
    return inspect_raw(f, x.values, rank_part::max_piece);
  } else {
    return f(caf::meta::type_name("rank_part"), x.group, x.from, x.to, x.number,
             x.kind, x.first, x.total);
  }
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, rank_block& x) {
  if constexpr (
      std::is_base_of_v<
          caf::serializer,
          Inspector> || std::is_base_of_v<caf::deserializer, Inspector>) {
    if (auto e = f(x.number))
      return e;
    return inspect_raw(f, x.bytes, max_wire_bytes);
  } else {
    return f(caf::meta::type_name("rank_block"), x.number, x.bytes.size());
  }
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, rank_command& x) {
  return f(x.number, x.forgotten, x.blocks, x.begins, x.rows, x.layers,
           x.finishes);
}

} // namespace troupe
