#include "core/model/model.hpp"

#include <algorithm>

#include <xxhash.h>

#include "core/model/gguf.hpp"
#include "core/model/read_parts.hpp"

namespace troupe {

namespace {

// XXH3-128 of the header, the file's size, and the start, middle and end of
// each tensor; whole tensors if they are small.
std::string digest_of(const gguf_file& file) {
  constexpr auto sample = size_t{1024};
  struct release {
    void operator()(XXH3_state_t* s) const { XXH3_freeState(s); }
  };
  auto state = std::unique_ptr<XXH3_state_t, release>{XXH3_createState()};
  XXH3_128bits_reset(state.get());
  auto add = [&](const_bytes bytes) {
    XXH3_128bits_update(state.get(), bytes.data(), bytes.size());
  };
  auto size = uint64_t{file.bytes().size()};
  add(std::as_bytes(std::span{&size, 1}));
  add(file.header());
  for (auto& tensor : file.tensors()) {
    auto data = tensor.data;
    if (data.size() <= 3 * sample) {
      add(data);
    } else {
      add(data.first(sample));
      add(data.subspan(data.size() / 2 - sample / 2, sample));
      add(data.last(sample));
    }
  }
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state.get()));
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto out = std::string{};
  for (auto byte : canonical.digest) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

} // namespace

result<std::shared_ptr<const model>>
read_model(std::shared_ptr<const gguf_file> file) {
  auto arch = read_architecture(*file);
  if (!arch)
    return arch.failure();
  auto vocab = read_vocabulary(*file);
  if (!vocab)
    return vocab.failure();
  auto size = static_cast<uint32_t>(vocab->tokens.size());
  auto params = read_hparams(*file, **arch, size);
  if (!params)
    return params.failure();
  auto weights = read_weights(*file, **arch, *params);
  if (!weights)
    return weights.failure();
  auto m = std::make_shared<model>();
  m->params = *std::move(params);
  m->w = *std::move(weights);
  m->vocab = *std::move(vocab);
  m->digest = digest_of(*file);
  m->file = std::move(file);
  return std::shared_ptr<const model>{std::move(m)};
}

result<std::shared_ptr<const model>> load_model(const std::string& path) {
  auto file = gguf_file::open(path);
  if (!file)
    return file.failure();
  return read_model(std::make_shared<const gguf_file>(*std::move(file)));
}

} // namespace troupe
