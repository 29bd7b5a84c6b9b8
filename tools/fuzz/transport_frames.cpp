// Reads any bytes as what comes in at a cluster's port: nobody is let through
// without a handshake, and what is announced is bounded.

#include "runtime/cluster/transport_frames.hpp"

#include <cstdlib>

using namespace troupe;

namespace {

constexpr auto max_frame = size_t{4096};

void require(bool x) {
  if (!x)
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0)
    return 0;
  auto side = data[0] % 2 == 0 ? link_side::accepted : link_side::dialed;
  auto handshake = side == link_side::accepted ? 1 : 0;
  auto bytes = std::span{reinterpret_cast<const char*>(data) + 1, size - 1};
  auto check = frame_check{side, max_frame};
  auto handshakes = uint32_t{0};
  while (true) {
    auto due = check.due();
    require(due <= std::max(max_frame, frame_check::max_handshake));
    auto wanted = due > 0 ? due : frame_check::header_bytes;
    if (bytes.size() < wanted)
      return 0;
    auto part = bytes.first(wanted);
    bytes = bytes.subspan(wanted);
    auto known = check.established();
    if (auto why = check.take(part)) {
      require(!why->empty() && why->size() < 200);
      return 0;
    }
    if (due > 0) {
      require(check.due() == 0 && check.established());
      continue;
    }
    // A header that passed.
    auto kind = static_cast<uint8_t>(part[0]);
    require(kind <= 6 && kind != 1 - handshake);
    require(known || kind == handshake);
    if (kind == handshake)
      require(check.due() > 0 && ++handshakes <= frame_check::max_handshakes);
  }
}
