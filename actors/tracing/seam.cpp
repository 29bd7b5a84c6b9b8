#include "actors/tracing/seam.hpp"

#include "actors/tracing/buffers.hpp"

namespace troupe::tracing {

namespace {

seam* the_seam = nullptr;

} // namespace

seam* current_seam() {
  return the_seam;
}

seam_guard::seam_guard(seam& s) {
  the_seam = &s;
  modes.store(replaying);
}

seam_guard::~seam_guard() {
  modes.store(0);
  the_seam = nullptr;
}

} // namespace troupe::tracing
