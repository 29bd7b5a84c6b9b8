#include "runtime/cluster/transport_frames.hpp"

namespace troupe {

namespace {

// The kinds of frames of BASP as CAF 0.17 numbers them.
constexpr uint8_t server_handshake = 0;
constexpr uint8_t client_handshake = 1;
constexpr uint8_t last_kind = 6;

// Byte 0 is the kind, bytes 4 to 7 the payload's size, big-endian.
uint8_t kind_of(std::span<const char> header) {
  return static_cast<uint8_t>(header[0]);
}

uint32_t payload_of(std::span<const char> header) {
  auto n = uint32_t{0};
  for (auto c : header.subspan(4, 4))
    n = n << 8 | static_cast<uint8_t>(c);
  return n;
}

} // namespace

std::optional<std::string> frame_check::take(std::span<const char> bytes) {
  if (due_ == 0)
    return take_header(bytes);
  if (bytes.size() != due_)
    return "a payload of another size than its header's";
  due_ = 0;
  established_ = true;
  return std::nullopt;
}

std::optional<std::string>
frame_check::take_header(std::span<const char> bytes) {
  if (bytes.size() != header_bytes)
    return "a header of another size";
  auto kind = kind_of(bytes);
  auto payload = payload_of(bytes);
  auto shakes = kind == server_handshake || kind == client_handshake;
  auto expected =
      side_ == link_side::accepted ? client_handshake : server_handshake;
  if (!established_ && kind != expected)
    return "what it sends is not a handshake";
  if (kind > last_kind)
    return "a frame of unknown kind " + std::to_string(kind);
  if (shakes && kind != expected)
    return "a handshake of the wrong side";
  if (shakes && ++handshakes_ > max_handshakes)
    return "too many handshakes";
  if (shakes && payload == 0)
    return "a handshake without a name";
  if (auto most = shakes ? max_handshake : max_frame_; payload > most)
    return "a frame of " + std::to_string(payload) + " bytes, more than "
           + std::to_string(most);
  due_ = payload;
  return std::nullopt;
}

} // namespace troupe
