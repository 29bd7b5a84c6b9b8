#pragma once

#include "actors/response_cache.hpp"

namespace troupe::testing {

/// Of a cache that is on.
inline response_cache_service_options enabled() {
  auto o = response_cache_service_options{};
  o.exact.enabled = true;
  o.exact.ttl = std::chrono::minutes{10};
  o.exact.flight = std::chrono::minutes{2};
  return o;
}

/// One whose answer is kept.
inline generate_request cached_request() {
  auto r = generate_request{};
  r.prompt = {10, 11, 12};
  r.max_tokens = 8;
  r.sampling.temperature = 0;
  r.organisation = "acme";
  return r;
}

} // namespace troupe::testing
