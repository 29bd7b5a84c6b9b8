#include "core/engine/packed_weights.hpp"

#include <map>
#include <mutex>

#include "core/model/gguf.hpp"

namespace troupe {

namespace {

// A packed model keeps its model alive, so that an address whose entry can be
// locked is still that of the same model.
struct registry {
  std::mutex mutex;
  std::map<const model*, std::weak_ptr<const packed_weights>> packed;
};

registry& all_packed() {
  static auto& r = *new registry; // runtimes may be static
  return r;
}

} // namespace

packed_weights::packed_weights(std::shared_ptr<const model> m)
    : model_(std::move(m)), w_(model_->w) {}

void packed_weights::pack(matrix_view& w, thread_pool& pool) {
  if (w.empty() || !is_worth_packing(w.type))
    return;
  auto& p = packed_.emplace_back(packed_matrix::room_for(w));
  pool.run(p.panels(),
           [&](uint32_t panel, unsigned) { p.fill(w, panel, panel + 1); });
  if (model_->file != nullptr)
    model_->file->release({w.data, w.span_bytes()});
  w.packed = &p;
}

std::shared_ptr<const packed_weights>
packed_weights::of(const std::shared_ptr<const model>& m, thread_pool& pool) {
  auto& r = all_packed();
  auto lock = std::lock_guard{r.mutex};
  if (auto found = r.packed.find(m.get()); found != r.packed.end())
    if (auto p = found->second.lock())
      return p;
  std::erase_if(r.packed, [](auto& entry) { return entry.second.expired(); });
  auto p = std::shared_ptr<packed_weights>{new packed_weights{m}};
  for (auto& l : p->w_.layers) {
    for (auto* w : {&l.wq, &l.wk, &l.wv, &l.wo, &l.wq_a, &l.wkv_a, &l.gate,
                    &l.up, &l.down})
      p->pack(*w, pool);
    for (auto& e : l.experts)
      for (auto* w : {&e.gate, &e.up, &e.down})
        p->pack(*w, pool);
  }
  p->pack(p->w_.output, pool);
  r.packed[m.get()] = p;
  return p;
}

size_t packed_weights::bytes() const {
  auto sum = size_t{0};
  for (auto& p : packed_)
    sum += p.bytes();
  return sum;
}

} // namespace troupe
