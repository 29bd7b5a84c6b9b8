#pragma once

#include <cstdint>
#include <string>

#include "core/base/bytes.hpp"

struct XXH3_state_s;

namespace troupe {

/// Tells models apart without reading them whole: XXH3-128 of the bytes added.
class model_digest {
public:
  model_digest();
  ~model_digest();
  model_digest(const model_digest&) = delete;
  model_digest& operator=(const model_digest&) = delete;

  void add(const_bytes bytes);
  void add(uint64_t number);

  /// The first, middle and last 1,024 bytes; all of it up to 3,072.
  void add_samples(const_bytes bytes);

  /// 32 digits.
  std::string hex() const;

private:
  XXH3_state_s* state_;
};

} // namespace troupe
