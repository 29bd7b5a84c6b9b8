#include "core/model/digest.hpp"

#include <string_view>

#include <xxhash.h>

namespace troupe {

model_digest::model_digest() : state_(XXH3_createState()) {
  XXH3_128bits_reset(state_);
}

model_digest::~model_digest() {
  XXH3_freeState(state_);
}

void model_digest::add(const_bytes bytes) {
  XXH3_128bits_update(state_, bytes.data(), bytes.size());
}

void model_digest::add(uint64_t number) {
  add(std::as_bytes(std::span{&number, 1}));
}

void model_digest::add_samples(const_bytes bytes) {
  constexpr auto sample = size_t{1024};
  if (bytes.size() <= 3 * sample)
    return add(bytes);
  add(bytes.first(sample));
  add(bytes.subspan(bytes.size() / 2 - sample / 2, sample));
  add(bytes.last(sample));
}

std::string model_digest::hex() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_));
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto out = std::string{};
  for (auto byte : canonical.digest) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

} // namespace troupe
