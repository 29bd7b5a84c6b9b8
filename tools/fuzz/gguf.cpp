// Reads any bytes as a GGUF file, as a model and as a vocabulary; whatever they
// are, the answer is a value or an error of one line.

#include <cstdlib>

#include "core/model/gguf.hpp"
#include "core/model/model.hpp"

using namespace troupe;

namespace {

void require(bool x) {
  if (!x)
    std::abort();
}

void check(const error& e) {
  require(e.message.starts_with("fuzz: "));
  require(e.message.find('\n') == std::string::npos);
}

// Reads each byte of the first and last row; returns something that depends
// on them.
unsigned touch(const matrix_view& m) {
  auto sum = 0u;
  if (m.empty()) // the model has none
    return sum;
  for (auto r : {0u, m.rows - 1})
    for (auto i = size_t{0}; i < m.row_bytes(); ++i)
      sum += std::to_integer<unsigned>(m.row(r)[i]);
  return sum;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto bytes = const_bytes{reinterpret_cast<const std::byte*>(data), size};
  auto file = gguf_file::parse(bytes, "fuzz");
  if (!file) {
    check(file.failure());
    return 0;
  }
  for (auto& entry : file->metadata()) {
    require(file->find(entry.key) == &entry);
    require(entry.render().find('\n') == std::string::npos);
    // One of these fits; the others have to say so.
    if (auto x = file->get_u32(entry.key); !x)
      check(x.failure());
    if (auto x = file->get_ints(entry.key); !x)
      check(x.failure());
    if (auto x = file->get_floats(entry.key); !x)
      check(x.failure());
    if (auto x = file->get_strings(entry.key); !x)
      check(x.failure());
  }
  for (auto& tensor : file->tensors()) {
    require(file->find_tensor(tensor.name) == &tensor);
    require(tensor.data.empty()
            || (tensor.data.data() == bytes.data() + tensor.offset
                && tensor.data.size() <= size - tensor.offset));
  }
  if (auto v = read_vocabulary(*file); !v)
    check(v.failure());
  auto m = read_model(std::make_shared<const gguf_file>(*std::move(file)));
  if (!m) {
    check(m.failure());
    return 0;
  }
  auto& w = (*m)->w;
  auto sum = touch(w.embedding) + touch(w.output);
  for (auto& l : w.layers) {
    for (auto x : {&l.wq, &l.wk, &l.wv, &l.wo, &l.wq_a, &l.wkv_a, &l.gate,
                   &l.up, &l.down, &l.router})
      sum += touch(*x);
    for (auto heads : {&l.wk_b, &l.wv_b})
      for (auto& x : *heads)
        sum += touch(x);
    for (auto& e : l.experts)
      sum += touch(e.gate) + touch(e.up) + touch(e.down);
  }
  [[maybe_unused]] static volatile unsigned sink;
  sink = sum;
  return 0;
}
