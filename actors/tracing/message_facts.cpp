#include "actors/tracing/message_facts.hpp"

#include <caf/all.hpp>

#include <array>
#include <atomic>
#include <concepts>
#include <string>
#include <typeinfo>
#include <utility>

#include "actors/protocol/interfaces.hpp"

namespace troupe::tracing {

namespace {

// -- which request ------------------------------------------------------------

// Messages of a handoff name the sequence alone; whose it is was said when its
// node got it. The last ones are enough: a slot that was taken over says so.
class sequence_requests {
public:
  void set(seq_id seq, request_id request) {
    auto& s = slots_[seq % slots_.size()];
    s.seq.store(0, std::memory_order_relaxed);
    s.request.store(request, std::memory_order_release);
    s.seq.store(seq, std::memory_order_release);
  }
  request_id find(seq_id seq) const {
    auto& s = slots_[seq % slots_.size()];
    if (s.seq.load(std::memory_order_acquire) != seq)
      return 0;
    auto r = s.request.load(std::memory_order_acquire);
    return s.seq.load(std::memory_order_acquire) == seq ? r : 0;
  }

private:
  struct slot {
    std::atomic<seq_id> seq{0};
    std::atomic<request_id> request{0};
  };
  std::array<slot, 1 << 14> slots_;
};

sequence_requests& requests_of_sequences() {
  static sequence_requests r;
  return r;
}

template <class T>
request_id request_of(const T& x) {
  if constexpr (requires {
                  { x.request } -> std::convertible_to<request_id>;
                })
    return x.request;
  else if constexpr (requires { x.request.request; })
    return x.request.request;
  else if constexpr (requires { x.spec.request; }) {
    requests_of_sequences().set(x.spec.seq, x.spec.request);
    return x.spec.request;
  } else if constexpr (requires { x.sequences.front().request; })
    return x.sequences.size() == 1 ? x.sequences.front().request : 0;
  else if constexpr (requires {
                       { x.seq } -> std::convertible_to<seq_id>;
                     })
    return requests_of_sequences().find(x.seq);
  else
    return 0;
}

// -- how large ----------------------------------------------------------------

template <class T>
size_t heap_of(T& x);

template <class T>
size_t heap_of(std::vector<T>& xs) {
  auto n = xs.size() * sizeof(T);
  if constexpr (!std::is_arithmetic_v<T> && !std::is_enum_v<T>)
    for (auto& x : xs)
      n += heap_of(x);
  return n;
}

inline size_t heap_of(std::string& s) {
  return s.size();
}

template <class T>
size_t heap_of(T& x) {
  if constexpr (has_fields<T>)
    return std::apply(
        [](auto&... fs) { return (size_t{0} + ... + heap_of(fs)); },
        x.fields());
  else
    return 0;
}

inline size_t heap_of(kv_chunk& x) {
  return x.layer_bytes * x.layers * x.payload.blocks.size()
         + x.payload.bytes.size();
}

inline size_t heap_of(rank_part& x) {
  return heap_of(x.values);
}

inline size_t heap_of(rank_command& x) {
  return x.kv_bytes();
}

template <class T>
uint32_t bytes_of(const T& x) {
  // fields() is for reading and writing alike.
  return static_cast<uint32_t>(sizeof(T) + heap_of(const_cast<T&>(x)));
}

// -- what it holds ------------------------------------------------------------

inline kv_chunk without_kv(const kv_chunk& x) {
  auto y = x;
  y.payload = {};
  return y;
}

inline rank_part without_kv(const rank_part& x) {
  auto y = x;
  y.values.clear();
  return y;
}

inline rank_command without_kv(const rank_command& x) {
  auto y = x;
  for (auto& b : y.blocks)
    b.bytes.clear();
  return y;
}

template <class T>
caf::error save_light(const T& x, caf::serializer& to) {
  if constexpr (requires { without_kv(x); }) {
    auto y = without_kv(x);
    return to(y);
  } else {
    return to(const_cast<T&>(x));
  }
}

// -- all types ----------------------------------------------------------------

template <class T>
message_facts facts_for(uint16_t number, std::string_view name) {
  auto f = message_facts{};
  f.number = number;
  f.name = name;
  f.request = [](const void* x) {
    return request_of(*static_cast<const T*>(x));
  };
  f.bytes = [](const void* x) { return bytes_of(*static_cast<const T*>(x)); };
  f.save_without_kv = [](const void* x, caf::serializer& to) {
    return save_light(*static_cast<const T*>(x), to);
  };
  return f;
}

constexpr auto first_id = caf::id_block::troupe::begin;
constexpr auto ids = size_t{caf::id_block::troupe::end - first_id};

// Finds a type by where the compiler put what it knows of it.
class table {
public:
  table() { add(std::make_index_sequence<ids>()); }

  const message_facts* find(const std::type_info* type) const {
    for (auto i = hash(type);; i = (i + 1) % slots_.size()) {
      auto& s = slots_[i];
      if (s.type == type || s.type == nullptr)
        return s.type == nullptr ? nullptr : &facts_[s.index];
    }
  }
  const std::array<message_facts, ids>& all() const { return facts_; }

private:
  struct slot {
    const std::type_info* type = nullptr;
    uint16_t index = 0;
  };

  static size_t hash(const std::type_info* type) {
    auto x = reinterpret_cast<uintptr_t>(type);
    return (x * 0x9e3779b97f4a7c15u >> 32)
           % std::tuple_size_v<decltype(slots_)>;
  }

  template <size_t... Is>
  void add(std::index_sequence<Is...>) {
    (add_one<Is>(), ...);
  }

  template <size_t I>
  void add_one() {
    constexpr auto id = static_cast<caf::type_id_t>(first_id + I);
    using type = typename caf::type_by_id<id>::type;
    facts_[I] = facts_for<type>(id, caf::type_name_by_id<id>::value);
    auto i = hash(&typeid(type));
    while (slots_[i].type != nullptr)
      i = (i + 1) % slots_.size();
    slots_[i] = {&typeid(type), static_cast<uint16_t>(I)};
  }

  std::array<message_facts, ids> facts_;
  std::array<slot, 1024> slots_;
};

static_assert(ids < 512, "the table of types is to stay half empty");

const table& types() {
  static const auto t = table{};
  return t;
}

// What CAF itself sends: exits, losses, errors, empty answers.
struct builtin_types {
  builtin_types() {
    for (size_t i = 1; i < facts.size(); ++i) {
      facts[i].number = static_cast<uint16_t>(i);
      facts[i].name = caf::numbered_type_names[i - 1];
    }
  }
  std::array<message_facts, caf::type_nrs> facts;
};

const builtin_types& builtin() {
  static const auto b = builtin_types{};
  return b;
}

} // namespace

const message_facts& facts_of(const caf::rtti_pair& type) {
  static const auto unknown = message_facts{};
  if (type.first != 0)
    return builtin().facts[type.first];
  auto* f = types().find(type.second);
  return f != nullptr ? *f : unknown;
}

const message_facts* facts_of(uint16_t number) {
  if (number > 0 && number < caf::type_nrs)
    return &builtin().facts[number];
  if (number >= first_id && number < first_id + ids)
    return &types().all()[number - first_id];
  return nullptr;
}

std::vector<message_facts> all_message_facts() {
  auto all = std::vector<message_facts>{};
  for (size_t i = 1; i < caf::type_nrs; ++i)
    all.push_back(builtin().facts[i]);
  all.insert(all.end(), types().all().begin(), types().all().end());
  return all;
}

} // namespace troupe::tracing
